package send

import "qmail/internal/queue"

// The first scan removes files that it takes for the remains of an earlier time while new messages get theirs.
// Numbers are used again, so it removes nothing without asking: a number that was read from todo since the start is
// ours, and what is there is left alone; any other is lent to the scan, and not read from todo before it is back.
// See docs/INTERNALS.md, "The first scan".

// loans are the numbers that are ours, and the one that the scan has.
type loans struct {
	asked  chan loan
	back   chan queue.ID
	lent   queue.ID              // 0: none
	missed bool                  // a message with that number was found in todo
	ours   map[queue.ID]struct{} // read from todo since the scan began
}

// A loan is what the scan asks for.
type loan struct {
	id     queue.ID
	answer chan<- bool
}

func (l *loans) begin() {
	l.asked, l.back, l.ours = make(chan loan), make(chan queue.ID), map[queue.ID]struct{}{}
}

// lender returns what the goroutine of the scan calls: it has remove done while the number is lent to it.
func (l *loans) lender() func(id queue.ID, remove func() error) error {
	asked, back := l.asked, l.back
	return func(id queue.ID, remove func() error) error {
		answer := make(chan bool, 1)
		asked <- loan{id, answer}
		if !<-answer {
			return nil
		}
		err := remove()
		back <- id
		return err
	}
}

// lend answers the scan.
func (l *loans) lend(x loan) {
	_, ours := l.ours[x.id]
	if !ours {
		l.lent = x.id
	}
	x.answer <- !ours
}

// end takes note that the scan is done with a number, and reports whether todo is to be looked at again, since a
// message was passed over meanwhile.
func (l *loans) end() (again bool) {
	again = l.missed
	l.lent, l.missed = 0, false
	return again
}

// claim makes the number of a message that was read from todo ours, unless it is lent.
func (l *loans) claim(id queue.ID) bool {
	switch {
	case l.ours == nil: // no scan runs
		return true
	case l.lent == id:
		l.missed = true
		return false
	}
	l.ours[id] = struct{}{}
	return true
}
