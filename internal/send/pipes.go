package send

import (
	"bufio"
	"io"

	"qmail/internal/send/sendproto"
)

// An outbox collects what goes down a pipe. The owner adds to it and never waits for the reader at the other end.
type outbox struct {
	buf, spare []byte
	to         chan []byte   // the writer takes all at once
	back       chan struct{} // it has written
	free       bool
}

func newOutbox(w io.Writer) *outbox {
	o := &outbox{to: make(chan []byte, 1), back: make(chan struct{}, 1), free: true}
	go func() {
		for b := range o.to {
			w.Write(b) // a broken pipe shows at the other pipe, as its end
			o.back <- struct{}{}
		}
	}()
	return o
}

// send passes on what has been added since the last time, unless the writer is still busy with that.
func (o *outbox) send() {
	if o.free && len(o.buf) > 0 {
		o.free = false
		o.to <- o.buf
		o.buf, o.spare = o.spare[:0], o.buf
	}
}

// readReplies sends every reply of a spawner, and closes the channel at its end.
func readReplies(r *bufio.Reader, w sendproto.Width, replies chan<- sendproto.Reply) {
	defer close(replies)
	for {
		p, err := sendproto.ReadReply(r, w)
		if err != nil {
			return
		}
		replies <- p
	}
}

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
