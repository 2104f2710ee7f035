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
	c.out, c.answers = newOutbox(p.To), make(chan []byte, moreEvents)
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
func (c *cleaner) ask(q sendproto.Request, then func(ok bool)) {
	if c.lost {
		return
	}
	c.out.buf = q.Append(c.out.buf)
	c.asked = append(c.asked, then)
}

// answer hands answers to those who asked.
func (c *cleaner) answer(b []byte) {
	for _, a := range b {
		if len(c.asked) == 0 {
			return
		}
		then := c.asked[0]
		c.asked[0] = nil
		c.asked = c.asked[1:]
		then(a == sendproto.Cleaned)
	}
}

// idle reports whether no answer will come.
func (c *cleaner) idle() bool { return c.lost || len(c.asked) == 0 }

// readAnswers sends every answer of qmail-clean, and closes the channel at its end.
func readAnswers(r io.Reader, answers chan<- []byte) {
	defer close(answers)
	for {
		buf := make([]byte, 512)
		n, err := r.Read(buf)
		if n > 0 {
			answers <- buf[:n]
		}
		if err != nil {
			return
		}
	}
}
