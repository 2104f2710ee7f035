// Package spawn is what the two spawners share: they read qmail-send's orders, check and open the
// message of each, have it delivered, and reply. What a delivery is, package lspawn and package
// rspawn know.
package spawn

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"sync/atomic"

	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// A Delivery is an order whose message is open.
type Delivery struct {
	sendproto.Order
	Local, Host string     // of the recipient, parted at the last @
	Asked       string     // what the sender asks for, a record of package dsn
	Message     *os.File   // closed by Reply, that of the last of a group
	Address     netip.Addr // of the host that it went to; Reply passes it on
	shared      *shared    // not nil: one of a group
	replies     chan<- sendproto.Reply
}

// A shared is what the deliveries of a group share.
type shared struct {
	left atomic.Int32 // that have not been replied to
}

// Reply says how the delivery ended, once, and from any goroutine. Text is what the log and the
// bounce show, complete with its newline; what is more than qmail-send keeps is cut off.
func (d *Delivery) Reply(kind report.Kind, text []byte) {
	if d.shared == nil || d.shared.left.Add(-1) == 0 {
		d.Message.Close()
	}
	text = text[:min(len(text), sendproto.MaxReply)]
	d.replies <- sendproto.Reply{Delnum: d.Delnum, Kind: kind, Text: text, Grouped: d.shared != nil, Address: d.Address}
}

// A Spawner runs the deliveries of one channel.
type Spawner struct {
	Limit int // the most slots in use at once: deliveries, or groups of them
	Owner int // the uid that owns the messages of the queue
	// Start begins a delivery, or those of a group, which have message, sender and slot in common: never more than
	// one program may run for them at a time. It returns without waiting for anything.
	Start   func([]*Delivery)
	Combine int // the most recipients of a group; 0: there are no groups
	// Hurry gives up a delivery that has waited long, if there is one. Nil: none is ever given up.
	Hurry func()
}

// Run announces the limit, then serves orders until they end, and returns when the last delivery that was begun has
// been replied to. The working directory is queue/mess.
//
// One goroutine, this one, knows which delivery numbers are in use and writes the replies. An error in
// writing them means that qmail-send is gone: nothing is begun any more, and what runs is waited for.
func (s *Spawner) Run(orders io.Reader, replies io.Writer) error {
	width := sendproto.WidthFor(s.Limit)
	_, err := replies.Write(width.AppendNumber(nil, s.Limit))
	incoming := make(chan sendproto.Order, manyOrders)
	gone := make(chan struct{})
	defer close(gone)
	go readOrders(orders, width, incoming, gone)
	e := engine{
		Spawner: s,
		width:   width,
		busy:    make(map[int]*slot, s.Limit),
		ended:   make(chan sendproto.Reply, manyReplies),
	}
	for (incoming != nil && err == nil) || len(e.busy) > 0 {
		e.buf = e.buf[:0]
		select {
		case o, ok := <-incoming:
			if !ok || err != nil {
				incoming = nil
				continue
			}
			e.begin(o)
		case r := <-e.ended:
			e.reply(r)
			for range len(e.ended) {
				e.reply(<-e.ended)
			}
		}
		if len(e.buf) > 0 && err == nil {
			_, err = replies.Write(e.buf)
		}
	}
	return err
}

// manyReplies is how many replies may share a write, manyOrders how many orders a read.
const manyReplies, manyOrders = 64, 64

// An engine is the state of a Spawner that runs.
type engine struct {
	*Spawner
	width sendproto.Width
	busy  map[int]*slot // by the delivery numbers that are in use
	slots int           // in use
	ended chan sendproto.Reply
	buf   []byte // replies not yet written
}

// A slot has one delivery, or the deliveries of a group.
type slot struct{ running int }

// take has a delivery take its place in a slot.
func (e *engine) take(d *Delivery, s *slot) {
	if s.running == 0 {
		e.slots++
	}
	s.running++
	d.replies = e.ended
	e.busy[d.Delnum] = s
}

// reply passes on how a delivery ended.
func (e *engine) reply(r sendproto.Reply) {
	s := e.busy[r.Delnum]
	delete(e.busy, r.Delnum)
	if s.running--; s.running == 0 {
		e.slots--
	}
	e.buf = r.Append(e.buf, e.width)
}

// begin starts the delivery of an order, or replies to one that is refused.
func (e *engine) begin(o sendproto.Order) {
	if e.Combine > 0 && o.Delnum == e.width.Reserved() {
		e.beginReserved(o)
		return
	}
	d, refusal := e.check(o, e.busy[o.Delnum] != nil || e.slots >= e.Limit)
	if refusal != nil {
		e.buf = sendproto.Reply{Delnum: o.Delnum, Kind: refusal.Kind, Text: Text(refusal)}.Append(e.buf, e.width)
		return
	}
	e.take(d, &slot{})
	e.Start([]*Delivery{d})
}

// Text returns a report as the text of a reply: one line.
func Text(r *report.Report) []byte { return append([]byte(r.Error()), '\n') }

// readOrders passes on the orders as they come.
func readOrders(orders io.Reader, width sendproto.Width, incoming chan<- sendproto.Order, gone <-chan struct{}) {
	defer close(incoming)
	r := bufio.NewReaderSize(orders, sendproto.MaxOrder)
	for {
		o, err := sendproto.ReadOrder(r, width)
		if err != nil {
			return
		}
		select {
		case incoming <- o:
		case <-gone:
			return
		}
	}
}
