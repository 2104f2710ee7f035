package send

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/ascii"
	"qmail/internal/text/dsn"
	"qmail/internal/text/qlog"
	"qmail/internal/text/report"
)

// A warned has the recipients, as they are shown, of whose delays the sender of a message knows.
type warned map[string]bool

// readWarned reads whom the sender knows to be late; nil where nobody is to be told of delays. Who has been told is in
// the bounce, so that no restart has it told again.
func readWarned(q *queue.Queue, id queue.ID, info queue.Message) (warned, error) {
	late := false
	info.Asked.Each(func(_ string, r dsn.Recipient) { late = late || r.Notify.Wants(dsn.Delay) })
	if !late || !bounce.Told(info.Sender) {
		return nil, nil
	}
	f, err := q.OpenBounce(id)
	if errors.Is(err, fs.ErrNotExist) {
		return warned{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounce.Warned(f)
}

// told does what the sender of a message asks for when a delivery has ended, and reports whether that is all there is
// to do about it.
func (p *passes) told(c queue.Channel, v delivery, r sendproto.Reply) bool {
	m, wants := v.j.m, v.j.m.wants.To(v.r.addr).Notify
	shown := p.controls.table.Public(v.r.addr)
	switch r.Kind {
	case report.Success:
		action, tells := becameOf(c, r.Text)
		if !tells || !wants.Wants(dsn.Success) || !bounce.Told(m.sender) {
			return false
		}
		m.bounce = bounce.Note(m.bounce, action, shown, r.Text)
		m.failures = append(m.failures, failure{v.j, v.r, true})
		p.advance(m)
		return true
	case report.Failure:
		if wants.Wants(dsn.Failure) {
			return false
		}
		p.done(v)
		return true
	}
	if key := ascii.OneLine(shown); m.warned != nil && wants.Wants(dsn.Delay) && !m.warned[key] {
		m.warned[key] = true
		m.delays = bounce.Note(m.delays, bounce.Delayed, shown, r.Text)
	}
	return false
}

// becameOf returns what a successful delivery was for the sender, by its report. It tells nothing where the next host
// has taken that over.
func becameOf(c queue.Channel, text []byte) (a bounce.Action, tells bool) {
	if c == queue.Remote {
		line, _, _ := bytes.Cut(text, []byte{'\n'})
		return bounce.Relayed, !strings.HasSuffix(string(line)+"\n", dsn.PassedOn)
	}
	files, forwards, programs := did(text)
	switch {
	case files+programs > 0 || forwards == 0:
		return bounce.Delivered, true
	case forwards == 1:
		return bounce.Relayed, true
	}
	return bounce.Expanded, true
}

// did reads what qmail-local says it has done, in the last line that says so: what programs have said comes before.
func did(text []byte) (files, forwards, programs int) {
	for _, line := range bytes.Split(text, []byte{'\n'}) {
		s, ok := strings.CutPrefix(string(line), "did ")
		a := strings.Split(s, "+")
		if !ok || len(a) != 3 {
			continue
		}
		var n [3]int
		for i := range a {
			if n[i], _ = strconv.Atoi(a[i]); n[i] < 0 {
				n[i] = 0
			}
		}
		files, forwards, programs = n[0], n[1], n[2]
	}
	return files, forwards, programs
}

// warn tells the sender of a message of its delays. That they are told is on disk before: at worst they are not.
func (e *ending) warn(m *message) {
	q, id, text, in, now := e.queue, m.id, m.delays, e.injector, e.now
	b, _ := bounce.For(m.sender, e.controls.names)
	about := bounce.Message{
		Arrived: time.Unix(m.birth, 0), Delay: true, Asked: m.wants, Shown: e.controls.table.Public,
	}
	m.delays, m.busy = nil, true
	n := e.order.began()
	e.bouncing.start(func() func() {
		qp, err := uint64(0), q.AppendBounce(id, text)
		if err == nil {
			qp, err = injectDelay(q, id, func(mess io.Reader) (uint64, error) {
				about.Text = mess
				return in.Inject(b.Sender, b.Recipient, func(w io.Writer) error {
					return b.Write(w, now(), bytes.NewReader(text), about)
				})
			})
		}
		return func() {
			m.busy = false
			if err != nil {
				e.trouble("unable to tell of a delay of msg "+id.String()+"; will not try again", err)
			} else {
				e.log = qlog.BounceMsg(e.log, uint64(id), qp)
			}
			e.order.ended(n)
			e.advance(m)
		}
	})
}

func injectDelay(q *queue.Queue, id queue.ID, inject func(mess io.Reader) (uint64, error)) (uint64, error) {
	mess, err := q.OpenMess(id)
	if err != nil {
		return 0, err
	}
	defer mess.Close()
	return inject(mess)
}
