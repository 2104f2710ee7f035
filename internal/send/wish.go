package send

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendctl"
)

// A wish is a request about a message that must wait until nothing is done about the message.
type wish struct {
	verb sendctl.Verb
	ask  []chan<- sendctl.Answer
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
			j.next, j.aside = nil, nil
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

// lookAgain finds out what is left of a message, some time later; nothing is, where info is gone.
func (d *daemon) lookAgain(id queue.ID) {
	q := d.Queue
	d.after(func() {
		d.tasks.start(func() func() {
			f, err := q.Look(id)
			return func() {
				if errors.Is(err, fs.ErrNotExist) {
					return
				}
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
