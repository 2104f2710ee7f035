// Package qmtp holds the framing of QMTP and QMQP, both ends.
package qmtp

import (
	"bufio"
	"errors"
	"io"

	"qmail/internal/text/ascii"
	"qmail/internal/text/netstring"
)

const (
	// MaxMessage is the most bytes of a message.
	MaxMessage = 2_000_000_000
	// MaxRecipients is the most bytes of all recipients of a QMTP message, with their frames.
	MaxRecipients = 16 << 20
	// MaxAddress is the number of bytes at which an address is too long.
	MaxAddress = 1000
)

var (
	// ErrLength says that where a length should be there is none.
	ErrLength = errors.New("qmtp: no length")
	// ErrProtocol says that the frames do not fit into each other.
	ErrProtocol = errors.New("qmtp: protocol violation")
	// ErrTooMuch says that a length is past all bounds.
	ErrTooMuch = errors.New("qmtp: more than we take")
)

// A Frame reads netstrings one after the other out of a connection, or out of a netstring of the connection.
type Frame struct {
	r    *bufio.Reader
	left int64 // bytes of the enclosing netstring; less than 0: there is none
}

// Connection returns the outermost frame.
func Connection(r *bufio.Reader) *Frame { return &Frame{r: r, left: -1} }

// Left returns how many bytes of the enclosing netstring have not been read.
func (f *Frame) Left() int64 { return f.left }

// ReadByte reads one byte.
func (f *Frame) ReadByte() (byte, error) {
	if f.left == 0 {
		return 0, ErrProtocol
	}
	c, err := f.r.ReadByte()
	if err == nil && f.left > 0 {
		f.left--
	}
	return c, err
}

// Len reads the length of a netstring. An end of input is io.EOF where a netstring may begin, and else
// io.ErrUnexpectedEOF.
func (f *Frame) Len(limit int64) (int64, error) {
	n, err := netstring.ReadLen(f, limit)
	switch err {
	case netstring.ErrFormat:
		return 0, ErrLength
	case netstring.ErrTooLong:
		return 0, ErrTooMuch
	}
	return n, err
}

// End reads the comma after a netstring.
func (f *Frame) End() error {
	err := netstring.ReadComma(f)
	if err == netstring.ErrFormat {
		return ErrProtocol
	}
	return err
}

// Inner returns a frame of the next n bytes of f, which f no longer has. They are to be read before f is used again.
func (f *Frame) Inner(n int64) (*Frame, error) {
	if f.left >= 0 {
		if n > f.left {
			return nil, ErrProtocol
		}
		f.left -= n
	}
	return &Frame{r: f.r, left: n}, nil
}

// Next returns the bytes of the frame that are there, at least one, valid until the next call; io.EOF after the
// last. It is for frames that Inner made.
func (f *Frame) Next() ([]byte, error) {
	if f.left == 0 {
		return nil, io.EOF
	}
	if _, err := f.r.Peek(1); err != nil {
		return nil, unexpected(err)
	}
	b, err := f.r.Peek(int(min(f.left, int64(f.r.Buffered()))))
	if err != nil {
		return nil, err
	}
	f.r.Discard(len(b))
	f.left -= int64(len(b))
	return b, nil
}

// Address reads a netstring that is an address. ok is false for one that is too long or has a control byte; it is read
// all the same.
func (f *Frame) Address() (addr string, ok bool, err error) {
	n, err := f.Len(MaxMessage)
	if err != nil {
		return "", false, unexpected(err)
	}
	in, err := f.Inner(n)
	if err != nil {
		return "", false, err
	}
	ok = n < MaxAddress
	var b []byte
	for {
		piece, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", false, err
		}
		for _, c := range piece {
			ok = ok && !ascii.IsControl(c)
		}
		if ok {
			b = append(b, piece...)
		}
	}
	if !ok {
		b = nil
	}
	return string(b), ok, f.End()
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
