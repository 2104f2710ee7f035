// Package sendproto is what qmail-send says through its pipes: orders to the spawners and
// their replies, requests to qmail-clean and its answers. Both ends of each are here.
package sendproto

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"

	"qmail/internal/text/report"
)

const (
	// MaxReply is the most bytes of a reply's text that are kept; the rest is read and dropped.
	MaxReply = 10000
	// MaxOrder bounds one string of an order. It exceeds what qmail-queue accepts by far.
	MaxOrder = 1 << 16
)

// A Width is the number of bytes of a delivery number, and of the limit that a spawner
// announces: 1 as it always was, or 2 where conf-spawn is over 255.
type Width int

// WidthFor returns the width for a spawner's limit.
func WidthFor(limit int) Width {
	if limit > 255 {
		return 2
	}
	return 1
}

// AppendNumber appends a delivery number or a limit, the low byte first.
func (w Width) AppendNumber(b []byte, n int) []byte {
	b = append(b, byte(n))
	if w == 2 {
		b = append(b, byte(n>>8))
	}
	return b
}

// ReadNumber reads a delivery number or a limit.
func (w Width) ReadNumber(r io.ByteReader) (int, error) {
	lo, err := r.ReadByte()
	if err != nil || w == 1 {
		return int(lo), err
	}
	hi, err := r.ReadByte()
	if err != nil {
		return 0, unexpected(err)
	}
	return int(lo) | int(hi)<<8, nil
}

// An Order asks a spawner for one delivery: the delivery number, then three NUL-terminated strings.
type Order struct {
	Delnum    int    // comes back in the Reply
	Mess      string // "split/id", below queue/mess
	Sender    string
	Recipient string
}

// Append appends the order as it goes over the wire.
func (o Order) Append(b []byte, w Width) []byte {
	b = w.AppendNumber(b, o.Delnum)
	for _, s := range [...]string{o.Mess, o.Sender, o.Recipient} {
		b = append(b, s...)
		b = append(b, 0)
	}
	return b
}

// ErrTooLong says that a string of an order is longer than MaxOrder.
var ErrTooLong = errors.New("order too long")

// ReadOrder reads one order. io.EOF means that the input ended, even in the middle of an
// order: qmail-send is gone.
func ReadOrder(r *bufio.Reader, w Width) (Order, error) {
	var o Order
	var err error
	if o.Delnum, err = w.ReadNumber(r); err != nil {
		return Order{}, io.EOF
	}
	for _, s := range []*string{&o.Mess, &o.Sender, &o.Recipient} {
		if *s, err = readString(r, MaxOrder); err != nil {
			return Order{}, err
		}
	}
	return o, nil
}

func readString(r *bufio.Reader, limit int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice(0)
		if len(b)+len(part) > limit {
			return "", ErrTooLong
		}
		b = append(b, part...)
		switch err {
		case nil:
			return string(b[:len(b)-1]), nil
		case bufio.ErrBufferFull:
		default:
			return "", io.EOF
		}
	}
}

// A Reply says how the delivery of an order ended.
type Reply struct {
	Delnum  int
	Kind    report.Kind // any other byte than the three kinds means that the reply was mangled
	Text    []byte      // without NUL
	Grouped bool        // of a member of a group
	Address netip.Addr  // of the host that it went to, where Grouped, if that is known
}

// Append appends the reply as it goes over the wire. A NUL ends the text.
func (p Reply) Append(b []byte, w Width) []byte {
	if p.Grouped {
		return p.appendGrouped(b, w)
	}
	b = w.AppendNumber(b, p.Delnum)
	b = append(b, byte(p.Kind))
	text, _, _ := bytes.Cut(p.Text, []byte{0})
	return append(append(b, text...), 0)
}

// ReadReply reads one reply. A reply without a letter has Kind 0. Text beyond MaxReply is dropped.
func ReadReply(r *bufio.Reader, w Width) (Reply, error) {
	var p Reply
	var err error
	if p.Delnum, err = w.ReadNumber(r); err != nil {
		return Reply{}, err
	}
	k, err := r.ReadByte()
	if err != nil {
		return Reply{}, unexpected(err)
	}
	if k == 0 {
		return p, nil
	}
	p.Kind = report.Kind(k)
	for {
		part, err := r.ReadSlice(0)
		if err == nil {
			part = part[:len(part)-1]
		}
		p.Text = append(p.Text, part[:min(len(part), MaxReply-len(p.Text))]...)
		switch err {
		case nil:
			return p.unwrap(w), nil
		case bufio.ErrBufferFull:
		default:
			return Reply{}, unexpected(err)
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
