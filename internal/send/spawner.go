package send

import (
	"bufio"
	"errors"
	"io"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/sendproto"
)

// A spawner is the way to qmail-lspawn or qmail-rspawn.
type spawner struct {
	width   sendproto.Width
	out     *outbox
	replies chan sendproto.Reply
	grouped bool // it takes groups
	asked   bool // whether it does, and it has not replied
	lost    bool // it is gone
}

// begin reads the spawner's limit, the first thing that it says.
func (x *spawner) begin(p Pipe) (limit int, err error) {
	x.width = sendproto.WidthFor(conf.Spawn())
	r := bufio.NewReader(p.From)
	if limit, err = x.width.ReadNumber(r); err != nil || limit == 0 {
		return 0, errSpawn
	}
	x.out = newOutbox(p.To)
	x.replies = make(chan sendproto.Reply, moreEvents)
	go readReplies(r, x.width, x.replies)
	return limit, nil
}

var errSpawn = errors.New("hath the daemon spawn no fire?")

// ask asks the spawner whether it takes groups. Nobody waits for the answer.
func (x *spawner) ask() {
	x.asked = true
	x.out.buf = sendproto.AppendQuestion(x.out.buf, x.width)
}

// answered takes the reply to the question, and reports whether this is it; combine is how many recipients a group may
// have. A spawner of another make has refused the order.
func (x *spawner) answered(p sendproto.Reply) (combine int, ok bool) {
	if !x.asked || p.Grouped || p.Delnum != x.width.Reserved() {
		return 0, false
	}
	x.asked = false
	combine, x.grouped = p.Answer(x.width)
	return combine, true
}

// hurry asks for a slot that a delivery has which waits long for its host.
func (x *spawner) hurry() {
	if x.grouped {
		x.out.buf = sendproto.AppendHurry(x.out.buf, x.width)
	}
}

// order appends the order for recipients, by their delivery numbers.
func (x *spawner) order(m *message, members []sendproto.Member) {
	mess, sender := queue.MessName(m.id), route.SenderFor(m.sender, members[0].Recipient)
	if x.grouped {
		g := sendproto.Group{Mess: mess, Sender: sender, Members: members}
		if m.wants != nil {
			g.Asked = m.wants.Delivery(members[0].Recipient)
		}
		x.out.buf = g.Append(x.out.buf, x.width)
		return
	}
	for _, to := range members {
		o := sendproto.Order{Delnum: to.Delnum, Mess: mess, Sender: sender, Recipient: to.Recipient}
		x.out.buf = o.Append(x.out.buf, x.width)
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
