package send

import (
	"errors"
	"io"
	"io/fs"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/route"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/qlog"
)

// bounces are those that are being injected, and the messages that wait for their end: a bounce is a new message as
// soon as it is queued, but the log tells first what it is about.
type bounces struct {
	last    int              // number of the latest
	going   map[int]struct{} // those whose message has not ended
	waiting []kept
}

type kept struct {
	f     fresh
	table *route.Table
	until int // every bounce up to this number
}

// hold keeps a new message back that may be one of the bounces on their way.
func (b *bounces) hold(f fresh, table *route.Table) bool {
	if len(b.going) == 0 || f.info.Sender != "" && f.info.Sender != "#@[]" {
		return false
	}
	b.waiting = append(b.waiting, kept{f, table, b.last})
	return true
}

func (b *bounces) began() int {
	if b.going == nil {
		b.going = map[int]struct{}{}
	}
	b.last++
	b.going[b.last] = struct{}{}
	return b.last
}

// bounceEnded lets the messages go on that waited for this bounce.
func (d *daemon) bounceEnded(n int) {
	b := &d.bounces
	delete(b.going, n)
	oldest := b.last + 1
	for x := range b.going {
		oldest = min(oldest, x)
	}
	keep := b.waiting[:0]
	var now []kept
	for _, h := range b.waiting {
		if h.until < oldest {
			now = append(now, h)
		} else {
			keep = append(keep, h)
		}
	}
	clear(b.waiting[len(keep):])
	b.waiting = keep
	for _, h := range now {
		if !d.exiting {
			d.announce(h.f, h.table)
		}
	}
}

// endChannel ends a channel all of whose recipients are done, and the message when it was the last.
func (d *daemon) endChannel(m *message, c queue.Channel) {
	q, id := d.Queue, m.id
	other := m.jobs[1-c] != nil
	var last bool
	d.onDisk(m, func() error {
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
			d.warning("unable to unlink " + c.File(id) + "; will try again later")
			d.ch[c].retry.add(due{d.sec + sleepFailure, id})
			return
		}
		if last && m.jobs[1-c] == nil {
			d.finish(id)
		}
	})
}

// An ending is how the attempt to end a message went.
type ending struct {
	triple bool
	qp     int // of the bounce that was injected
	err    error
	what   string // that failed
}

// finish bounces what failed, and ends a message without recipients left.
func (d *daemon) finish(id queue.ID) {
	q, in, names, now := d.Queue, d.Injector, d.Controls.names, d.Now
	d.gone.add(id)
	n := d.bounces.began()
	d.endings.start(func() func() {
		e := end(q, id, names, func(b bounce.Bounce, text, mess io.Reader) (int, error) {
			return in.Inject(b.Sender, b.Recipient, func(w io.Writer) error { return b.Write(w, now(), text, mess) })
		})
		return func() { d.settleEnd(id, n, e) }
	})
}

// end does the work of finish.
func end(
	q *queue.Queue,
	id queue.ID,
	names bounce.Names,
	inject func(b bounce.Bounce, text, mess io.Reader) (int, error),
) (e ending) {
	text, err := q.OpenBounce(id)
	switch {
	case err == nil:
		defer text.Close()
		info, err := q.ReadInfo(id)
		if err != nil {
			return ending{err: err, what: "unable to read " + queue.Info(id)}
		}
		b, ok := bounce.For(info.Sender, names)
		if !ok {
			e.triple = true
		} else {
			mess, err := q.OpenMess(id)
			if err != nil {
				return ending{err: err, what: "unable to read " + queue.Mess(id)}
			}
			defer mess.Close()
			if e.qp, err = inject(b, text, mess); err != nil {
				return ending{err: err, what: "trouble injecting bounce message, will try later"}
			}
		}
		if err := q.RemoveBounce(id); err != nil {
			e.err, e.what = err, "unable to unlink "+queue.Bounce(id)
			return e
		}
	case !errors.Is(err, fs.ErrNotExist):
		return ending{err: err, what: "unable to read " + queue.Bounce(id)}
	}
	if err := q.Finish(id); err != nil {
		e.err, e.what = err, "unable to unlink "+queue.Info(id)+"; will try again later"
	}
	return e
}

// settleEnd logs how the end went, and has qmail-clean do the rest of it.
func (d *daemon) settleEnd(id queue.ID, n int, e ending) {
	if e.triple {
		d.log = qlog.TripleBounce(d.log, queue.Bounce(id))
	}
	if e.qp != 0 {
		d.log = qlog.BounceMsg(d.log, uint64(id), e.qp)
	}
	if e.err != nil {
		d.warning(e.what)
		d.bounceEnded(n)
		d.after(func() { d.finish(id) })
		return
	}
	d.foopThen(id, func() { d.bounceEnded(n) })
}

// foop has qmail-clean remove the message itself; with that it has left the queue.
func (d *daemon) foop(id queue.ID) { d.foopThen(id, func() {}) }

func (d *daemon) foopThen(id queue.ID, then func()) {
	d.gone.add(id)
	d.ask(sendproto.Request{Kind: sendproto.Foop, ID: uint64(id)}, func(ok bool) {
		if ok {
			d.log = qlog.EndMsg(d.log, uint64(id))
			delete(d.gone.going, id)
		} else {
			d.warning("qmail-clean unable to clean up " + queue.Mess(id))
			d.after(func() { d.foop(id) })
		}
		then()
	})
}
