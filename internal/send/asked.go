package send

import (
	"io"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendctl"
	"qmail/internal/text/dsn"
)

// heldUntil is the next attempt of a message that is held, as the time of its files: so another qmail leaves it alone
// as well, until somebody has it try everything. It fits into 32 bits.
const heldUntil = 1<<31 - 1

// maxRemoved bounds the recipients that the bounce of a removed message names.
const maxRemoved = 1000

// asked does what the queue tools ask for.
type asked struct {
	*desk
	*messages
	slots    [2]*slots
	intake   *intake
	ending   *ending
	survey   *survey
	controls *Controls
	runAll   func()
	waiting  []Request // for the first scan
}

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
func (a *asked) request(r Request) {
	if r.Verb == sendctl.RunAll {
		a.runAll()
		r.Answer <- sendctl.Done
		return
	}
	id := queue.ID(r.ID)
	switch {
	case a.stopping:
		r.Answer <- sendctl.Trouble
	case a.survey.running:
		a.waiting = append(a.waiting, r) // until it is known what there is
	case r.Verb == sendctl.Run:
		r.Answer <- a.runNow(id)
	case r.Verb == sendctl.Release:
		a.release(id, r.Answer)
	case !a.survey.knows(id):
		r.Answer <- sendctl.Unknown
	default:
		a.want(a.get(id), r)
	}
}

// scanned serves the requests that have waited for the first scan.
func (a *asked) scanned() {
	list := a.waiting
	a.waiting = nil
	for _, r := range list {
		a.request(r)
	}
}

// runNow has a waiting message tried now.
func (a *asked) runNow(id queue.ID) sendctl.Answer {
	answer := sendctl.Unknown
	if a.survey.knows(id) {
		answer = sendctl.Done // one that has not been tried yet needs no asking
	}
	if m := a.active[id]; m != nil {
		m.retryNow(a.sec)
	}
	for _, s := range a.slots {
		if _, ok := s.held[id]; ok {
			return sendctl.Held
		}
		if s.retry.remove(id) {
			s.retry.add(due{a.sec, id})
			answer = sendctl.Done
		}
	}
	return answer
}

// release lets a held message go on.
func (a *asked) release(id queue.ID, to chan<- sendctl.Answer) {
	answer := sendctl.NotHeld
	q, now := a.queue, time.Unix(a.sec, 0)
	for _, c := range queue.Channels() {
		s := a.slots[c]
		if _, ok := s.held[id]; !ok {
			continue
		}
		delete(s.held, id)
		s.retry.add(due{a.sec, id})
		a.disk.start(func() func() {
			q.NextTry(c, id, now)
			return nil
		})
		answer = sendctl.Done
	}
	if answer == sendctl.NotHeld && !a.survey.knows(id) {
		answer = sendctl.Unknown
	}
	to <- answer
}

// want has a message held or removed as soon as its running deliveries have ended; nothing more is started for it.
func (a *asked) want(m *message, r Request) {
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
			a.slots[c].drop(j)
		}
	}
	if m.direct != nil {
		a.intake.write(m)
	}
	a.advance(m)
}

// work does what is wanted of a message, when nothing else is done about it.
func (a *asked) work(m *message) {
	for c, j := range m.jobs {
		if j == nil {
			continue
		}
		if j.running > 0 || j.reading {
			return
		}
		if len(j.letters) > 0 {
			a.ending.mark(m, queue.Channel(c), j)
			return
		}
	}
	w := m.wish
	m.wish, m.jobs = nil, [2]*job{}
	for _, s := range a.slots {
		s.unwait(m.id)
		delete(s.held, m.id)
	}
	if w.verb == sendctl.Hold {
		a.hold(m, w)
	} else {
		a.remove(m, w)
	}
}

func (w *wish) answer(a sendctl.Answer) {
	for _, c := range w.ask {
		c <- a
	}
}

// hold leaves a message alone, and the qmail-sends to come as well: the time of its files says so.
func (a *asked) hold(m *message, w *wish) {
	q, id := a.queue, m.id
	var has [2]bool
	a.ending.onDisk(m, func() error {
		f, err := q.Look(id)
		for _, c := range queue.Channels() {
			if err == nil && f.Has[c] {
				err = q.NextTry(c, id, time.Unix(heldUntil, 0))
			}
		}
		has = f.Has
		return err
	}, func(err error) {
		answer := sendctl.Done
		if err != nil {
			a.trouble("unable to hold "+queue.Mess(id), err)
			answer = sendctl.Trouble
			has = [2]bool{true, true}
		}
		if !has[0] && !has[1] {
			a.ending.finish(id) // everybody had got it
			answer = sendctl.Unknown
		}
		for c, s := range a.slots {
			switch {
			case !has[c]:
			case err == nil:
				s.held[id] = struct{}{}
			default:
				s.retry.add(due{a.sec + sleepFailure, id})
			}
		}
		w.answer(answer)
	})
}

// remove ends a message whose recipients have not all got it.
func (a *asked) remove(m *message, w *wish) {
	q, id, tell, table := a.queue, m.id, w.verb == sendctl.Bounce, a.controls.table
	a.ending.onDisk(m, func() error {
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
			a.trouble("unable to remove "+queue.Mess(id), err)
			a.survey.lookAgain(id)
			w.answer(sendctl.Trouble)
			return
		}
		a.log = append(append(a.log, "removing msg "+id.String()...), '\n')
		a.ending.finish(id)
		w.answer(sendctl.Done)
	})
}

// left returns the paragraphs about those who have not got a message.
func left(q *queue.Queue, id queue.ID, public func(string) string) ([]byte, error) {
	var text []byte
	f, err := q.Look(id)
	if err != nil {
		return nil, err
	}
	info, err := q.ReadInfo(id)
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
			if !x.Done && info.Asked.To(string(x.Addr)).Notify.Wants(dsn.Failure) {
				text = bounce.Paragraph(
					text,
					public(string(x.Addr)),
					[]byte("The message was removed from the queue by the administrator.\n"),
				)
			}
		}
		r.Close()
	}
	return text, nil
}
