package priv

import (
	"syscall"
	"time"
)

// Grace is how long a child may take to end after each time that it was told to.
const Grace = 5 * time.Second

// A Group is a child in a session of its own, and all that it has started: its process group. What has left that, as
// a daemon does, is beyond reach. Nothing may be told to it after the child was waited for.
type Group struct {
	Pid  int // the child's
	told int
}

// End tells the group to end, by SIGTERM, and the next time by SIGKILL. It returns false when there is no more to say.
func (g *Group) End() bool {
	signals := [...]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}
	if g.told == len(signals) {
		return false
	}
	syscall.Kill(-g.Pid, signals[g.told])
	g.told++
	return true
}

// Kill ends what is left of the group.
func (g *Group) Kill() { syscall.Kill(-g.Pid, syscall.SIGKILL) }

// Late reports whether the group was told to end. What is left of it is killed then.
func (g *Group) Late() bool {
	if g.told > 0 {
		g.Kill()
	}
	return g.told > 0
}
