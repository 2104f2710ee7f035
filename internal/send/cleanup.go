package send

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
)

// cleanup is the pass over mess that finds what qmail-queue left there long ago.
type cleanup struct {
	at   int64 // when the next is due
	part uint64
	busy bool
}

// doCleanup goes over mess when that is due, one subfolder at a time.
func (d *daemon) doCleanup() {
	p := &d.cleanup
	if p.busy || d.exiting || d.scan.running || p.at > d.sec {
		return
	}
	p.busy = true
	d.tellWalking()
	d.gone.walk()
	q, part, now, pace := d.Queue, p.part, d.Now(), pacer(d.paces, 0)
	d.tasks.start(func() func() {
		var orphans []queue.ID
		q.EachOrphan(part, now, pace, func(id queue.ID) { orphans = append(orphans, id) })
		return func() {
			p.busy = false
			d.tellWalking()
			orphans = d.gone.without(orphans)
			d.gone.unwalk()
			if d.exiting {
				return
			}
			if p.part++; p.part >= conf.Split() {
				p.part, p.at = 0, d.sec+sleepCleanup
			}
			for _, id := range orphans {
				d.ask(sendproto.Request{Kind: sendproto.Foop, ID: uint64(id)}, func(bool) {})
			}
		}
	})
}

// scan is the first look at the queue.
type scan struct {
	running bool
	found   chan []queue.Found
	asked   chan queue.ID
	odd     chan oddity
	lend    chan loan
	back    chan queue.ID
	lent    queue.ID              // 0: none
	missed  bool                  // one was read that was lent
	ours    map[queue.ID]struct{} // read from todo since it began
	all     bool                  // somebody wants everything tried now
	failed  bool                  // not all could be read
	asks    []Request             // of the queue tools, meanwhile
}

// scanBatch is how many messages the scan hands over at once.
const scanBatch = 256

// An oddity is a name that the scan could do nothing with.
type oddity struct {
	name string
	err  error
}

// oddScanned takes note of one. What cannot be read now may be as good as ever later; todo is looked at anyway.
func (d *daemon) oddScanned(o oddity) {
	switch {
	case errors.Is(o.err, queue.ErrDamaged):
		d.isOdd(o.name)
	case !strings.HasPrefix(o.name, "todo/"):
		d.scanFailed("unable to read " + o.name + "; will try again later")
	}
}

// scanFailed has the messages looked for later that the scan may have missed.
func (d *daemon) scanFailed(text string) {
	d.warning(text)
	if !d.scan.failed {
		d.scan.failed = true
		d.after(d.scanAgain)
	}
}

// scanAgain looks for messages in S5 that nothing is known of. Unlike the first scan it removes nothing: by now
// much is under way.
func (d *daemon) scanAgain() {
	q := d.Queue
	d.gone.walk()
	d.tasks.start(func() func() {
		var ids []queue.ID
		err := q.EachInfo(func(id queue.ID) { ids = append(ids, id) })
		return func() {
			known := map[queue.ID]bool{}
			for c := range d.ch {
				for _, w := range d.ch[c].retry {
					known[w.id] = true
				}
			}
			d.lookFor(slices.DeleteFunc(ids, func(id queue.ID) bool { return known[id] || d.knows(id) }), err)
		}
	})
}

// lookFor takes over those of the messages that are in S5. err is what went wrong so far.
func (d *daemon) lookFor(ids []queue.ID, err error) {
	q := d.Queue
	d.tasks.start(func() func() {
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
			d.scanned(slices.DeleteFunc(found, func(f queue.Found) bool {
				return d.knows(f.ID) || len(d.gone.without([]queue.ID{f.ID})) == 0
			}))
			d.gone.unwalk()
			if err != nil {
				d.after(d.scanAgain)
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

// startScan begins to read what waits in the queue; new mail does not wait for it.
func (d *daemon) startScan() {
	d.scan = scan{
		running: true, found: make(chan []queue.Found), asked: make(chan queue.ID), odd: make(chan oddity),
		lend: make(chan loan), back: make(chan queue.ID), ours: map[queue.ID]struct{}{},
	}
	d.tellWalking()
	q, s, pace := d.Queue, d.scan, pacer(d.paces, freeNames)
	d.tasks.start(func() func() {
		var batch []queue.Found
		err := q.Recover(queue.Recovery{
			Waiting: func(f queue.Found) {
				if batch = append(batch, f); len(batch) == scanBatch {
					s.found <- batch
					batch = nil
				}
			},
			Ask: func(c queue.Chore, id queue.ID) {
				if c == queue.ChoreTodo {
					s.asked <- id
				}
			},
			Odd:   func(name string, err error) { s.odd <- oddity{name, err} },
			Alone: s.alone,
			Pace:  pace,
		})
		return func() {
			d.scanned(batch)
			d.scan.running, d.scan.all, d.scan.ours = false, false, nil
			d.tellWalking()
			for _, r := range d.scan.asks {
				d.request(r)
			}
			d.scan.asks = nil
			if err != nil && err != queue.ErrStopped {
				d.scanFailed("unable to read the queue; will try again later")
			}
		}
	})
}

// scanned takes over messages that waited in the queue. One that is ours already has been found after we made its
// files.
func (d *daemon) scanned(found []queue.Found) {
	for _, f := range found {
		if _, ours := d.scan.ours[f.ID]; ours {
			continue
		}
		for _, c := range queue.Channels() {
			if f.Has[c] {
				d.scannedPart(c, f)
			}
		}
		if !f.Has[0] && !f.Has[1] {
			d.finish(f.ID)
		}
	}
}

// scannedPart takes over one channel of a message. A next attempt that is later than one can be was set by a clock
// that was wrong.
func (d *daemon) scannedPart(c queue.Channel, f queue.Found) {
	at := f.Next[c].Unix()
	if at == holdTime {
		d.held[c][f.ID] = struct{}{}
		return
	}
	if d.scan.all {
		at = d.sec
	}
	d.ch[c].retry.add(due{min(at, latest(f.Birth.Unix(), d.sec, c)), f.ID})
}
