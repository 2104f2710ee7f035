// Package spawn is what the two spawners share: they read qmail-send's orders, check and open the
// message of each, have it delivered, and reply. What a delivery is, package lspawn and package
// rspawn know.
package spawn

import (
	"bufio"
	"io"
	"os"

	"qmail/internal/report"
	"qmail/internal/sendproto"
)

// A Delivery is an order whose message is open.
type Delivery struct {
	sendproto.Order
	Local, Host string   // of the recipient, parted at the last @
	Message     *os.File // closed by Reply
	replies     chan<- sendproto.Reply
}

// Reply says how the delivery ended, once, and from any goroutine. Text is what the log and the
// bounce show, complete with its newline; what is more than qmail-send keeps is cut off.
func (d *Delivery) Reply(kind report.Kind, text []byte) {
	d.Message.Close()
	text = text[:min(len(text), sendproto.MaxReply)]
	d.replies <- sendproto.Reply{Delnum: d.Delnum, Kind: kind, Text: text}
}

// A Spawner runs the deliveries of one channel.
type Spawner struct {
	Limit int // the most deliveries at once
	Owner int // the uid that owns the messages of the queue
	// Start begins some deliveries, those whose orders came at once. It returns without
	// waiting for anything.
	Start func([]*Delivery)
}

// Run announces the limit, then serves orders until they end, and returns when the last delivery that was begun has
// been replied to. The working directory is queue/mess.
//
// One goroutine, this one, knows which delivery numbers are in use and writes the replies. An error in
// writing them means that qmail-send is gone: nothing is begun any more, and what runs is waited for.
func (s *Spawner) Run(orders io.Reader, replies io.Writer) error {
	width := sendproto.WidthFor(s.Limit)
	_, err := replies.Write(width.AppendNumber(nil, s.Limit))
	incoming := make(chan []sendproto.Order)
	gone := make(chan struct{})
	defer close(gone)
	go readOrders(orders, width, incoming, gone)
	ended := make(chan sendproto.Reply)
	busy := make(map[int]bool, s.Limit)
	var buf []byte
	for (incoming != nil && err == nil) || len(busy) > 0 {
		buf = buf[:0]
		select {
		case batch, ok := <-incoming:
			if !ok || err != nil {
				incoming = nil
				continue
			}
			buf = s.begin(batch, busy, ended, buf, width)
		case r := <-ended:
			delete(busy, r.Delnum)
			buf = r.Append(buf, width)
		}
		if len(buf) > 0 && err == nil {
			_, err = replies.Write(buf)
		}
	}
	return err
}

// begin starts the deliveries of a batch of orders and appends a reply for each that is refused.
func (s *Spawner) begin(
	batch []sendproto.Order, busy map[int]bool, ended chan<- sendproto.Reply, buf []byte, width sendproto.Width,
) []byte {
	var good []*Delivery
	for _, o := range batch {
		d, refusal := s.check(o, busy[o.Delnum])
		if refusal != nil {
			buf = sendproto.Reply{Delnum: o.Delnum, Kind: refusal.Kind, Text: Text(refusal)}.Append(buf, width)
			continue
		}
		d.replies = ended
		busy[o.Delnum] = true
		good = append(good, d)
	}
	if len(good) > 0 {
		s.Start(good)
	}
	return buf
}

// Text returns a report as the text of a reply: one line.
func Text(r *report.Report) []byte { return append([]byte(r.Error()), '\n') }

// readOrders passes on the orders as they come, those that one read brought together.
func readOrders(orders io.Reader, width sendproto.Width, incoming chan<- []sendproto.Order, gone <-chan struct{}) {
	defer close(incoming)
	r := bufio.NewReaderSize(orders, sendproto.MaxOrder)
	for {
		o, err := sendproto.ReadOrder(r, width)
		if err != nil {
			return
		}
		batch := []sendproto.Order{o}
		for wholeOrder(r, width) {
			if o, err = sendproto.ReadOrder(r, width); err != nil {
				break
			}
			batch = append(batch, o)
		}
		select {
		case incoming <- batch:
		case <-gone:
			return
		}
	}
}

// wholeOrder reports whether an order can be read without waiting.
func wholeOrder(r *bufio.Reader, width sendproto.Width) bool {
	const stringsOfAnOrder = 3
	b, err := r.Peek(r.Buffered())
	if err != nil || len(b) < int(width) {
		return false
	}
	nuls := 0
	for _, c := range b[width:] {
		if c == 0 {
			nuls++
		}
		if nuls == stringsOfAnOrder {
			return true
		}
	}
	return false
}
