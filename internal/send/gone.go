package send

import (
	"slices"

	"qmail/internal/queue"
)

// gone says which messages are on their way from S5 or S4 to S1. A walk over the queue may have seen such a message
// half gone, and its number may be another's by the time the owner hears of it.
type gone struct {
	going map[queue.ID]struct{} // their mess may still be there
	since map[queue.ID]struct{} // those, and those that have gone since the oldest walk that runs began
	walks int
}

func (g *gone) begin() { g.going = map[queue.ID]struct{}{} }

// add takes note that the end of a message begins.
func (g *gone) add(id queue.ID) {
	g.going[id] = struct{}{}
	if g.walks > 0 {
		g.since[id] = struct{}{}
	}
}

// walk begins a walk; its results are good until unwalk.
func (g *gone) walk() {
	if g.walks++; g.walks == 1 {
		g.since = map[queue.ID]struct{}{}
		for id := range g.going {
			g.since[id] = struct{}{}
		}
	}
}

func (g *gone) unwalk() {
	if g.walks--; g.walks == 0 {
		g.since = nil
	}
}

// without returns what a walk has found but for those that have been ending meanwhile.
func (g *gone) without(ids []queue.ID) []queue.ID {
	return slices.DeleteFunc(ids, func(id queue.ID) bool {
		_, ok := g.since[id]
		return ok
	})
}
