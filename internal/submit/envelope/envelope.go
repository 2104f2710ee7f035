// Package envelope is the interface of qmail-queue: the envelope that it reads from
// descriptor 1, with what may follow it, and the exit codes by which it answers; see qmail-queue(8) and envelopes(5).
package envelope

import (
	"errors"
	"io"
)

// MaxAddress is the most bytes that an address record may have, its letter counted and its NUL not:
// one that is longer gets exit code TooLong.
const MaxAddress = 1003

// Errors of Reader.Next.
var (
	ErrFormat  = errors.New("envelope: format error")
	ErrTooLong = errors.New("envelope: address too long")
)

// Append appends an envelope: F sender NUL, T recipient NUL for each recipient, NUL.
func Append(b []byte, sender string, recipients []string) []byte {
	b = append(b, 'F')
	b = append(b, sender...)
	b = append(b, 0)
	for _, r := range recipients {
		b = append(b, 'T')
		b = append(b, r...)
		b = append(b, 0)
	}
	return append(b, 0)
}

// A Reader reads an envelope record by record.
type Reader struct {
	r     io.ByteReader
	buf   []byte
	any   bool
	count int // recipients
	// Of what follows:
	size  int // in bytes
	least int // the number that the next record must have at least
}

// NewReader returns a Reader of r; it reads nothing after the envelope's last NUL but what r has buffered.
func NewReader(r io.ByteReader) *Reader { return &Reader{r: r, buf: make([]byte, 0, 256)} }

// Next returns the next record with its letter and its NUL: first the sender, then each
// recipient. The bytes are valid until the next call. After the last record it returns
// io.EOF. An input that ends early is io.ErrUnexpectedEOF, a wrong letter is ErrFormat, a record
// over MaxAddress is ErrTooLong, with as much of it as was read.
func (e *Reader) Next() ([]byte, error) {
	letter, err := e.r.ReadByte()
	if err != nil {
		return nil, unexpected(err)
	}
	switch {
	case !e.any && letter == 'F':
	case e.any && letter == 'T':
		e.count++
	case e.any && letter == 0:
		return nil, io.EOF
	default:
		return nil, ErrFormat
	}
	e.any = true
	return e.record(letter, MaxAddress)
}

// record reads the rest of a record, of which limit is the most bytes.
func (e *Reader) record(letter byte, limit int) ([]byte, error) {
	e.buf = append(e.buf[:0], letter)
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			return nil, unexpected(err)
		}
		if c == 0 {
			return append(e.buf, 0), nil
		}
		e.buf = append(e.buf, c)
		if len(e.buf) > limit {
			return e.buf, ErrTooLong
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
