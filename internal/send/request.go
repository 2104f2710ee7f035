package send

import (
	"io"
	"time"

	"qmail/internal/bounce"
	"qmail/internal/queue"
	"qmail/internal/sendctl"
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

// A wish is a request about a message that must wait until nothing is done about the message.
type wish struct {
	verb sendctl.Verb
	ask  []chan<- sendctl.Answer
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

// runNow has a waiting message tried now.
func (d *daemon) runNow(id queue.ID) sendctl.Answer {
	a := sendctl.Unknown
	if d.active[id] != nil {
		a = sendctl.Done
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

// want has a message held or removed as soon as its running deliveries have ended; nothing more is started for it.
func (d *daemon) want(m *message, r Request) {
	if m.wish == nil || r.Verb != sendctl.Hold {
		ask := []chan<- sendctl.Answer(nil)
		if m.wish != nil {
			ask = m.wish.ask
		}
		m.wish = &wish{r.Verb, ask}
	}
	m.wish.ask = append(m.wish.ask, r.Answer)
	for c, j := range m.jobs {
		if j != nil {
			d.ch[c].hosts.drop(j)
			j.next = nil
			d.ch[c].unline(j)
		}
	}
	if m.direct != nil {
		d.write(m)
	}
	d.progress(m)
}

// cut reports whether a pass that somebody wants to end is at its end.
func (j *job) cut() bool { return j.running == 0 && !j.reading }

// progressWish does what is wanted of a message, when nothing else is done about it.
func (d *daemon) progressWish(m *message) {
	for c, j := range m.jobs {
		if j == nil {
			continue
		}
		if !j.cut() {
			return
		}
		if len(j.letters) > 0 {
			d.mark(m, queue.Channel(c), j)
			return
		}
	}
	w := m.wish
	m.wish, m.jobs = nil, [2]*job{}
	for c := range d.ch {
		d.ch[c].unwait(m.id)
		delete(d.held[c], m.id)
	}
	if w.verb == sendctl.Hold {
		d.hold(m, w)
	} else {
		d.remove(m, w)
	}
}

func (w *wish) answer(a sendctl.Answer) {
	for _, c := range w.ask {
		c <- a
	}
}

// hold leaves a message alone, and the qmail-sends to come as well: the time of its files says so.
func (d *daemon) hold(m *message, w *wish) {
	q, id := d.Queue, m.id
	var has [2]bool
	d.onDisk(m, func() error {
		f, err := q.Look(id)
		for _, c := range queue.Channels() {
			if err == nil && f.Has[c] {
				err = q.NextTry(c, id, time.Unix(holdTime, 0))
			}
		}
		has = f.Has
		return err
	}, func(err error) {
		a := sendctl.Done
		if err != nil {
			d.warning("unable to hold " + queue.Mess(id))
			a = sendctl.Trouble
			has = [2]bool{true, true}
		}
		if !has[0] && !has[1] {
			d.finish(id) // everybody had got it
			a = sendctl.Unknown
		}
		for c := range d.ch {
			switch {
			case !has[c]:
			case err == nil:
				d.held[c][id] = struct{}{}
			default:
				d.ch[c].retry.add(due{d.sec + sleepFailure, id})
			}
		}
		w.answer(a)
	})
}

// remove ends a message whose recipients have not all got it.
func (d *daemon) remove(m *message, w *wish) {
	q, id, tell, table := d.Queue, m.id, w.verb == sendctl.Bounce, d.Controls.table
	d.onDisk(m, func() error {
		if tell {
			text, err := left(q, id, table.Public)
			if err == nil && len(text) > 0 {
				err = q.AppendBounce(id, text)
			}
			if err != nil {
				return err
			}
		} else if err := q.RemoveBounce(id); err != nil {
			return err
		}
		err := q.EndChannel(queue.Local, id)
		if err == nil {
			err = q.EndChannel(queue.Remote, id)
		}
		return err
	}, func(err error) {
		if err != nil {
			d.warning("unable to remove " + queue.Mess(id))
			d.lookAgain(id)
			w.answer(sendctl.Trouble)
			return
		}
		d.log = append(append(d.log, "removing msg "+id.String()...), '\n')
		d.finish(id)
		w.answer(sendctl.Done)
	})
}

// lookAgain finds out what is left of a message, some time later.
func (d *daemon) lookAgain(id queue.ID) {
	q := d.Queue
	d.after(func() {
		d.tasks.start(func() func() {
			f, err := q.Look(id)
			return func() {
				if err != nil {
					d.lookAgain(id)
					return
				}
				d.scanned([]queue.Found{f})
			}
		})
	})
}

// left returns the paragraphs about those who have not got a message.
func left(q *queue.Queue, id queue.ID, public func(string) string) ([]byte, error) {
	var text []byte
	f, err := q.Look(id)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, c := range queue.Channels() {
		if !f.Has[c] {
			continue
		}
		r, err := q.Recipients(c, id, 0)
		if err != nil {
			return nil, err
		}
		for ; n < maxRemoved; n++ {
			x, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				r.Close()
				return nil, err
			}
			if !x.Done {
				text = bounce.Paragraph(text, public(string(x.Addr)), []byte("The message was removed from the queue by the administrator.\n"))
			}
		}
		r.Close()
	}
	return text, nil
}
