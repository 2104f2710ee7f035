package send

import (
	"container/heap"

	"qmail/internal/queue"
	"qmail/internal/send/schedule"
)

// Times of the schedule, in seconds.
const (
	// sleepTodo is the longest between two looks into todo, should every trigger have been lost.
	sleepTodo = 1500
	// sleepFailure is the pause after trouble with the system.
	sleepFailure = 123
	// sleepCleanup is between two cleaning passes.
	sleepCleanup = 76431
)

// latest returns the latest time that a qmail-send can have meant to make the next attempt at.
func latest(birth, now int64, c queue.Channel) int64 {
	return max(schedule.Next(birth, now, c), now+sleepFailure)
}

// A due is a message that waits for its next attempt on one channel. This is all that is held of a waiting message:
// 16 bytes for each channel.
type due struct {
	at int64
	id queue.ID
}

// waiting are the dues of a channel, the earliest first.
type waiting []due

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].at < w[j].at }
func (w waiting) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }

// Push and Pop are for container/heap, which boxes what they carry; add and take do not.
func (w *waiting) Push(any) {}
func (w *waiting) Pop() any { return nil }

// add adds a due.
func (w *waiting) add(d due) {
	*w = append(*w, d)
	h := *w
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].at <= h[i].at {
			return
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

// take removes and returns the earliest; there must be one.
func (w *waiting) take() due {
	h := *w
	first, last := h[0], len(h)-1
	h[0] = h[last]
	*w = h[:last]
	if last > 1 {
		heap.Fix(w, 0)
	}
	return first
}

// each replaces the time of every due by what fn returns.
func (w *waiting) each(fn func(due) int64) {
	for i := range *w {
		(*w)[i].at = fn((*w)[i])
	}
	heap.Init(w)
}

// remove takes message id out, and reports whether it was in.
func (w *waiting) remove(id queue.ID) bool {
	for i, d := range *w {
		if d.id == id {
			last := len(*w) - 1
			(*w)[i] = (*w)[last]
			*w = (*w)[:last]
			if i < last {
				heap.Fix(w, i)
			}
			return true
		}
	}
	return false
}
