package send

import (
	"errors"
	"io"
	"io/fs"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendproto"
	"qmail/internal/sys/counters"
	"qmail/internal/text/qlog"
)

// ending notes on disk what became of recipients, and ends what has none left: a pass, a channel, and with a bounce the
// message.
type ending struct {
	*desk
	*messages
	slots    [2]*slots
	clean    *cleaner
	bouncing tasks // those that wait for a qmail-queue as well, so that a flood of bounces keeps nobody from the disk
	order    bounceOrder
	gone     gone
	injector Injector
	controls *Controls
}

// work does the next thing on disk that a message in S5 needs, one at a time: the letters of those who are done, the
// end of a channel.
func (e *ending) work(m *message) {
	for i, j := range m.jobs {
		if e.workOn(m, queue.Channel(i), j) {
			return
		}
	}
	e.forget(m)
}

// workOn does the next thing that a pass needs, and reports whether that is a task.
func (e *ending) workOn(m *message, c queue.Channel, j *job) bool {
	switch {
	case j == nil:
	case j.over() && j.left == 0:
		e.endChannel(m, c)
		return true
	case len(j.letters) > 0:
		e.mark(m, c, j)
		return true
	case j.over() && len(m.delays) > 0:
		e.warn(m)
		return true
	case j.over():
		m.jobs[c] = nil
		e.slots[c].retry.add(due{j.retry, m.id})
	}
	return false
}

// onDisk runs a task about a message; done runs when it is over, before the next one.
func (e *ending) onDisk(m *message, work func() error, done func(error)) {
	m.busy = true
	e.disk.start(func() func() {
		err := work()
		return func() {
			m.busy = false
			done(err)
			e.advance(m)
		}
	})
}

// mark turns letters into D. It is not synced: at worst a recipient gets a second copy after a crash.
func (e *ending) mark(m *message, c queue.Channel, j *job) {
	q, id, at := e.queue, m.id, j.letters
	j.letters = nil
	e.onDisk(m, func() error { return q.Mark(c, id, at...) }, func(err error) {
		if err != nil {
			e.trouble("trouble marking "+c.File(id)+"; message will be delivered twice!", err)
		}
	})
}

// appendBounce makes the paragraphs about failures durable. Only then do the letters of these recipients change,
// which wait in letters; if it fails they are tried again with the next pass.
func (e *ending) appendBounce(m *message) {
	q, id, text, failures := e.queue, m.id, m.bounce, m.failures
	m.bounce, m.failures = nil, nil
	e.onDisk(m, func() error { return q.AppendBounce(id, text) }, func(err error) {
		if err != nil {
			e.trouble("unable to append to "+queue.Bounce(id)+"; will try again later", err)
		}
		for _, f := range failures {
			if err == nil || f.served {
				f.j.left--
				f.j.letters = append(f.j.letters, f.j.pos(f.r))
			} else {
				f.j.retry = e.sec + sleepFailure
			}
			f.j.running--
		}
	})
}

// endChannel ends a channel all of whose recipients are done, and the message when it was the last.
func (e *ending) endChannel(m *message, c queue.Channel) {
	q, id := e.queue, m.id
	other := m.jobs[1-c] != nil
	var last bool
	e.onDisk(m, func() error {
		err := q.EndChannel(c, id)
		if err == nil && !other {
			var f queue.Found
			f, err = q.Look(id)
			last = !f.Has[0] && !f.Has[1]
		}
		return err
	}, func(err error) {
		m.jobs[c] = nil
		if err != nil {
			e.trouble("unable to unlink "+c.File(id)+"; will try again later", err)
			e.slots[c].retry.add(due{e.sec + sleepFailure, id})
			return
		}
		if last && m.jobs[1-c] == nil {
			e.finish(id)
		}
	})
}

// An end is how the attempt to end a message went.
type end struct {
	triple bool
	double bool   // the bounce is of a bounce
	qp     uint64 // of the bounce that was injected
	err    error
	what   string // that failed
}

// finish bounces what failed, and ends a message without recipients left.
func (e *ending) finish(id queue.ID) {
	q, in, names, shown, now := e.queue, e.injector, e.controls.names, e.controls.table.Public, e.now
	e.gone.add(id)
	n := e.order.began()
	e.bouncing.start(func() func() {
		x := bounceAndFinish(q, id, names, func(b bounce.Bounce, text io.ReadSeeker, m bounce.Message) (uint64, error) {
			m.Shown = shown
			return in.Inject(b.Sender, b.Recipient, func(w io.Writer) error { return b.Write(w, now(), text, m) })
		})
		return func() { e.finished(id, n, x) }
	})
}

// bounceAndFinish does the work of finish.
func bounceAndFinish(q *queue.Queue, id queue.ID, names bounce.Names,
	inject func(b bounce.Bounce, text io.ReadSeeker, m bounce.Message) (uint64, error)) (x end) {
	text, err := q.OpenBounce(id)
	switch {
	case err == nil:
		defer text.Close()
		info, err := q.ReadInfo(id)
		if err != nil {
			return end{err: err, what: "unable to read " + queue.Info(id)}
		}
		b, ok := bounce.For(info.Sender, names)
		tells := true
		if info.Asked != nil {
			if tells, err = bounce.Tells(text); err != nil {
				return end{err: err, what: "unable to read " + queue.Bounce(id)}
			}
		}
		if !ok {
			x.triple = true
		} else if tells {
			mess, err := q.OpenMess(id)
			if err != nil {
				return end{err: err, what: "unable to read " + queue.Mess(id)}
			}
			defer mess.Close()
			fi, err := mess.Stat()
			if err != nil {
				return end{err: err, what: "unable to read " + queue.Mess(id)}
			}
			about := bounce.Message{Text: mess, Size: fi.Size(), Arrived: info.Birth, Asked: info.Asked}
			if x.qp, err = inject(b, text, about); err != nil {
				return end{err: err, what: "trouble injecting bounce message, will try later"}
			}
			x.double = b.Sender != ""
		}
		if err := q.RemoveBounce(id); err != nil {
			x.err, x.what = err, "unable to unlink "+queue.Bounce(id)
			return x
		}
	case !errors.Is(err, fs.ErrNotExist):
		return end{err: err, what: "unable to read " + queue.Bounce(id)}
	}
	if err := q.Finish(id); err != nil {
		x.err, x.what = err, "unable to unlink "+queue.Info(id)+"; will try again later"
	}
	return x
}

// finished logs how the end went, and has qmail-clean do the rest of it.
func (e *ending) finished(id queue.ID, n int, x end) {
	e.count.bounced(x)
	if x.triple {
		e.log = qlog.TripleBounce(e.log, queue.Bounce(id))
	}
	if x.qp != 0 {
		e.log = qlog.BounceMsg(e.log, uint64(id), x.qp)
	}
	if x.err != nil {
		e.trouble(x.what, x.err)
		e.order.ended(n)
		e.after(func() { e.finish(id) })
		return
	}
	e.foop(id, func() { e.order.ended(n) })
}

// foop says that a message is at its end and has qmail-clean remove it, in that order: as soon as it is removed another
// one may have its number. then is called after the first try.
func (e *ending) foop(id queue.ID, then func()) {
	e.log = qlog.EndMsg(e.log, uint64(id))
	e.count.add(counters.MessagesEnded, 1)
	e.remove(id, then)
}

func (e *ending) remove(id queue.ID, then func()) {
	e.gone.add(id)
	e.clean.ask(sendproto.Request{Kind: sendproto.Foop, ID: uint64(id)}, func(ok bool) {
		if ok {
			delete(e.gone.going, id)
		} else {
			e.warning("qmail-clean unable to clean up " + queue.Mess(id))
			e.after(func() { e.remove(id, func() {}) })
		}
		then()
	})
}
