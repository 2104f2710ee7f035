package send

import (
	"time"

	"qmail/internal/queue"
)

// A walk over the whole queue asks the owner after every queue.PaceNames names how to go on. So an idle system
// walks at full speed, and under load the walk leaves most of the disk and of a processor to new mail.
type pace uint8

const (
	walkOn pace = iota
	walkSlowly
	walkNoMore
)

const (
	// restShare and listShare are how much longer than its work a walk rests, and a look at todo.
	restShare, listShare = 8, 4
	// longestRest bounds one rest.
	longestRest = 100 * time.Millisecond
	// freeNames is how many names the first scan looks at without a rest: a queue of usual size is known at once.
	freeNames = 1024
	// calm is for how many seconds no new message must have come before walks go on at full speed.
	calm = 2
)

// tell tells whether a walk is under way, after one has begun or ended.
func (s *survey) tell() {
	if s.told != nil {
		s.told(s.running || s.orphans.busy)
	}
}

// restAfter returns how long to rest after work that took so long.
func restAfter(took time.Duration, share int) time.Duration {
	return min(time.Duration(share)*took, longestRest)
}

// pace returns how a walk goes on now.
func (s *survey) pace() pace {
	switch {
	case s.stopping:
		return walkNoMore
	case len(s.intake.entries) > 0 || s.sec >= s.intake.last && s.sec < s.intake.last+calm:
		return walkSlowly
	}
	return walkOn
}

// pacer returns the Pace of a walk that does not rest in its first names. It is for the goroutine that walks.
func pacer(asks chan<- chan<- pace, free int) func() bool {
	walked := 0
	begun := time.Now()
	return func() bool {
		took := time.Since(begun)
		answer := make(chan pace, 1)
		asks <- answer
		p := <-answer
		if walked += queue.PaceNames; p == walkSlowly && walked > free {
			time.Sleep(restAfter(took, restShare))
		}
		begun = time.Now()
		return p != walkNoMore
	}
}
