package send

import (
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
)

// holdTime is the next attempt of a message that is held, as the time of its files: so another qmail leaves it alone as
// well, until somebody has it try everything. It fits into 32 bits.
const holdTime = 1<<31 - 1

// maxRemoved bounds the recipients that the bounce of a removed message names.
const maxRemoved = 1000

// A Request is one of a queue tool, and where its answer goes; that channel has room for it.
type Request struct {
	sendctl.Request
	Answer chan<- sendctl.Answer
}

// request does what a queue tool asks for, or begins to.
func (d *daemon) request(r Request) {
	if r.Verb == sendctl.RunAll {
		d.signal(RunAll)
		r.Answer <- sendctl.Done
		return
	}
	id := queue.ID(r.ID)
	switch {
	case d.exiting:
		r.Answer <- sendctl.Trouble
	case d.scan.running:
		d.scan.asks = append(d.scan.asks, r) // until it is known what there is
	case r.Verb == sendctl.Run:
		r.Answer <- d.runNow(id)
	case r.Verb == sendctl.Release:
		d.release(id, r.Answer)
	case !d.knows(id):
		r.Answer <- sendctl.Unknown
	default:
		d.want(d.message(id), r)
	}
}

// knows reports whether a message waits, is held, or has something done about it that is not its end.
func (d *daemon) knows(id queue.ID) bool {
	if m := d.active[id]; m != nil {
		return true
	}
	for c := range d.ch {
		if _, ok := d.held[c][id]; ok || d.ch[c].waits(id) {
			return true
		}
	}
	return false
}

// waits reports whether a message waits for an attempt.
func (ch *channel) waits(id queue.ID) bool {
	for _, x := range ch.first {
		if x == id {
			return true
		}
	}
	for _, w := range ch.retry {
		if w.id == id {
			return true
		}
	}
	return false
}

// unwait takes a message out of those that wait.
func (ch *channel) unwait(id queue.ID) bool {
	for i, x := range ch.first {
		if x == id {
			ch.first = append(ch.first[:i:i], ch.first[i+1:]...)
			return true
		}
	}
	return ch.retry.remove(id)
}

// again has those passes followed by the next one at once that have ended for all but the disk.
func (m *message) again(now int64) {
	for _, j := range m.jobs {
		if j != nil && j.over() {
			j.retry = now
		}
	}
}

// runNow has a waiting message tried now.
func (d *daemon) runNow(id queue.ID) sendctl.Answer {
	a := sendctl.Unknown
	if d.knows(id) {
		a = sendctl.Done // one that has not been tried yet needs no asking
	}
	if m := d.active[id]; m != nil {
		m.again(d.sec)
	}
	for c := range d.ch {
		if _, ok := d.held[c][id]; ok {
			return sendctl.Held
		}
		if d.ch[c].retry.remove(id) {
			d.ch[c].retry.add(due{d.sec, id})
			a = sendctl.Done
		}
	}
	return a
}

// release lets a held message go on.
func (d *daemon) release(id queue.ID, answer chan<- sendctl.Answer) {
	a := sendctl.NotHeld
	q, now := d.Queue, time.Unix(d.sec, 0)
	for i := range d.ch {
		c := queue.Channel(i)
		if _, ok := d.held[c][id]; !ok {
			continue
		}
		delete(d.held[c], id)
		d.ch[c].retry.add(due{d.sec, id})
		d.tasks.start(func() func() {
			q.NextTry(c, id, now)
			return nil
		})
		a = sendctl.Done
	}
	if a == sendctl.NotHeld && !d.knows(id) {
		a = sendctl.Unknown
	}
	answer <- a
}
