package send

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"qmail/internal/queue"
)

// survey looks at the queue as a whole: once at the start, for what waits there, and now and then for what others have
// left behind. See docs/INTERNALS.md, "The first scan".
type survey struct {
	*desk
	*messages
	slots   [2]*slots
	intake  *intake
	ending  *ending
	over    func()     // the first scan has ended
	told    func(bool) // whether a walk over the queue is under way, when that has changed; it may be nil
	paces   chan chan<- pace
	orphans orphans

	running bool // the first scan
	failed  bool // not all could be read
	all     bool // somebody wants everything tried now
	found   chan []queue.Found
	asked   chan queue.ID // entries of todo that qmail-clean is to remove
	odd     chan oddity
	loans   loans
}

// scanBatch is how many messages the scan hands over at once.
const scanBatch = 256

// An oddity is a name that the scan could do nothing with.
type oddity struct {
	name string
	err  error
}

// start begins to read what waits in the queue; new mail does not wait for it.
func (s *survey) start() {
	s.running = true
	s.found, s.asked, s.odd = make(chan []queue.Found), make(chan queue.ID), make(chan oddity)
	s.loans.begin()
	s.tell()
	// The goroutine of the scan has copies of what it needs.
	q, found, asked, odd, alone, pace := s.queue, s.found, s.asked, s.odd, s.loans.lender(), pacer(s.paces, freeNames)
	s.disk.start(func() func() {
		var batch []queue.Found
		err := q.Recover(queue.Recovery{
			Waiting: func(f queue.Found) {
				if batch = append(batch, f); len(batch) == scanBatch {
					found <- batch
					batch = nil
				}
			},
			Ask: func(c queue.Chore, id queue.ID) {
				if c == queue.ChoreTodo {
					asked <- id
				}
			},
			Odd:   func(name string, err error) { odd <- oddity{name, err} },
			Alone: alone,
			Pace:  pace,
		})
		return func() {
			s.scanned(batch)
			s.running, s.all, s.loans.ours = false, false, nil
			s.tell()
			s.over()
			if err != nil && err != queue.ErrStopped {
				s.fail("unable to read the queue; will try again later", err)
			}
		}
	})
}

// oddScanned takes note of one. What cannot be read now may be as good as ever later; todo is looked at anyway.
func (s *survey) oddScanned(o oddity) {
	switch {
	case errors.Is(o.err, queue.ErrDamaged):
		s.intake.isOdd(o.name)
	case !strings.HasPrefix(o.name, "todo/"):
		s.fail("unable to read "+o.name+"; will try again later", o.err)
	}
}

// fail has the messages looked for later that the scan may have missed.
func (s *survey) fail(text string, err error) {
	s.trouble(text, err)
	if !s.failed {
		s.failed = true
		s.after(s.again)
	}
}

// again looks for messages in S5 that nothing is known of. Unlike the first scan it removes nothing: by now
// much is under way.
func (s *survey) again() {
	q := s.queue
	s.ending.gone.walk()
	s.disk.start(func() func() {
		var ids []queue.ID
		err := q.EachInfo(func(id queue.ID) { ids = append(ids, id) })
		return func() {
			scheduled := map[queue.ID]bool{}
			for _, x := range s.slots {
				for _, w := range x.retry {
					scheduled[w.id] = true
				}
			}
			s.lookFor(slices.DeleteFunc(ids, func(id queue.ID) bool { return scheduled[id] || s.knows(id) }), err)
		}
	})
}

// lookFor takes over those of the messages that are in S5. err is what went wrong so far.
func (s *survey) lookFor(ids []queue.ID, err error) {
	q := s.queue
	s.disk.start(func() func() {
		var found []queue.Found
		for _, id := range ids {
			f, e := lookS5(q, id)
			if e == nil {
				found = append(found, f)
			} else if !errors.Is(e, fs.ErrNotExist) {
				err = e
			}
		}
		return func() {
			s.scanned(slices.DeleteFunc(found, func(f queue.Found) bool {
				return s.knows(f.ID) || len(s.ending.gone.without([]queue.ID{f.ID})) == 0
			}))
			s.ending.gone.unwalk()
			if err != nil {
				s.after(s.again)
			}
		}
	})
}

// lookS5 looks at a message; fs.ErrNotExist when it is not in S5.
func lookS5(q *queue.Queue, id queue.ID) (queue.Found, error) {
	t, err := q.OpenTodo(id)
	if err == nil {
		t.Close()
		return queue.Found{}, fs.ErrNotExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return queue.Found{}, err
	}
	if _, err := q.Size(id); err != nil {
		return queue.Found{}, err
	}
	return q.Look(id)
}

// scanned takes over messages that waited in the queue. One that is ours already has been found after we made its
// files.
func (s *survey) scanned(found []queue.Found) {
	for _, f := range found {
		if _, ours := s.loans.ours[f.ID]; ours {
			continue
		}
		for _, c := range queue.Channels() {
			if f.Has[c] {
				s.scannedPart(c, f)
			}
		}
		if !f.Has[0] && !f.Has[1] {
			s.ending.finish(f.ID)
		}
	}
}

// scannedPart takes over one channel of a message. A next attempt that is later than one can be was set by a clock
// that was wrong.
func (s *survey) scannedPart(c queue.Channel, f queue.Found) {
	at := f.Next[c].Unix()
	if at == heldUntil {
		s.slots[c].held[f.ID] = struct{}{}
		return
	}
	if s.all {
		at = s.sec
	}
	s.slots[c].retry.add(due{min(at, latest(f.Birth.Unix(), s.sec, c)), f.ID})
}

// knows reports whether a message waits, is held, or has something done about it that is not its end.
func (s *survey) knows(id queue.ID) bool {
	if s.active[id] != nil {
		return true
	}
	for _, x := range s.slots {
		if _, ok := x.held[id]; ok || x.waits(id) {
			return true
		}
	}
	return false
}

// lookAgain finds out what is left of a message, some time later; nothing is, where info is gone.
func (s *survey) lookAgain(id queue.ID) {
	q := s.queue
	s.after(func() {
		s.disk.start(func() func() {
			f, err := q.Look(id)
			return func() {
				if errors.Is(err, fs.ErrNotExist) {
					return
				}
				if err != nil {
					s.lookAgain(id)
					return
				}
				s.scanned([]queue.Found{f})
			}
		})
	})
}
