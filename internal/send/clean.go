package send

import (
	"io"

	"qmail/internal/send/sendproto"
)

// cleaner is qmail-clean: requests go out as they come, answers come back in their order.
type cleaner struct {
	out     *outbox
	answers chan []byte
	asked   []func(ok bool) // whom the next answers are for
	lost    bool
}

func (c *cleaner) begin(p Pipe) {
	c.out = newOutbox(p.To)
	c.answers = make(chan []byte, moreEvents)
	go readAnswers(p.From, c.answers)
}

// Await waits until qmail-clean answers, which it does when none of an earlier qmail-send is at work any more.
// Until then todo may lose entries that we would take for ours, and info, local, remote and bounce are all that
// there is of their messages. The request is one that any qmail-clean refuses.
func (p Pipe) Await() {
	var answer [1]byte
	if _, err := p.To.Write([]byte{0}); err == nil {
		io.ReadFull(p.From, answer[:])
	}
}

// ask sends a request; then is called with the answer. When qmail-clean is lost nobody is answered any more.
func (d *daemon) ask(q sendproto.Request, then func(ok bool)) {
	if d.clean.lost {
		return
	}
	d.clean.out.buf = q.Append(d.clean.out.buf)
	d.clean.asked = append(d.clean.asked, then)
}

// answer hands answers to those who asked.
func (d *daemon) answer(b []byte, ok bool) {
	if !ok {
		d.clean.answers, d.clean.lost = nil, true
		d.alert("oh no! lost qmail-clean connection! dying...")
		d.stop()
		return
	}
	for _, a := range b {
		if len(d.clean.asked) == 0 {
			return
		}
		then := d.clean.asked[0]
		d.clean.asked[0] = nil
		d.clean.asked = d.clean.asked[1:]
		then(a == sendproto.Cleaned)
	}
}
