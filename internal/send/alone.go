package send

import "qmail/internal/queue"

// The first scan removes files that it takes for the remains of an earlier time while new messages get theirs.
// Numbers are used again, so it removes nothing without asking: a number that was read from todo since the start is
// ours, and what is there is left alone; any other is lent to the scan, and not read from todo before it is back.
// See docs/INTERNALS.md, "The first scan".

// A loan is what the scan asks for.
type loan struct {
	id     queue.ID
	answer chan<- bool
}

// alone is for the goroutine of the scan: it does remove while the number is lent to it.
func (s *scan) alone(id queue.ID, remove func() error) error {
	answer := make(chan bool, 1)
	s.lend <- loan{id, answer}
	if !<-answer {
		return nil
	}
	err := remove()
	s.back <- id
	return err
}

// lend answers the scan.
func (d *daemon) lend(l loan) {
	_, ours := d.scan.ours[l.id]
	if !ours {
		d.scan.lent = l.id
	}
	l.answer <- !ours
}

// giveBack takes note that the scan is done with a number. A message that was passed over meanwhile is looked for
// again.
func (d *daemon) giveBack() {
	d.scan.lent = 0
	d.todo.due = d.todo.due || d.scan.missed
	d.scan.missed = false
}

// take makes the number of a message that was read from todo ours, unless it is lent.
func (d *daemon) take(id queue.ID) bool {
	if !d.scan.running {
		return true
	}
	if d.scan.lent == id {
		d.scan.missed = true
		return false
	}
	d.scan.ours[id] = struct{}{}
	return true
}
