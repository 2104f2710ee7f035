package dns

import (
	"errors"
	"sync/atomic"
	"time"
)

// errSpent says that a budget is spent. It is temporary: another time the servers may be faster.
var errSpent = errors.New("too many questions to the DNS, or too slow answers")

// A budget is shared by all lookups on one Resolver. The methods of a nil budget bound nothing.
type budget struct {
	questions atomic.Int32 // that may still be asked
	end       time.Time
}

// Within returns a Resolver on which no more than so many questions are asked in all, and none after end: what
// strangers may have us ask is bounded by it. A lookup that would need more fails for now.
func (r *Resolver) Within(questions int, end time.Time) *Resolver {
	b := &budget{end: end}
	b.questions.Store(int32(questions))
	return &Resolver{conf: r.conf, budget: b}
}

// spend reports whether one more question may be asked.
func (b *budget) spend() bool { return b == nil || b.questions.Add(-1) >= 0 }

func (b *budget) over() bool { return b != nil && !time.Now().Before(b.end) }

// until returns the end of the budget where that is earlier than t.
func (b *budget) until(t time.Time) time.Time {
	if b == nil {
		return t
	}
	return earlier(t, b.end)
}
