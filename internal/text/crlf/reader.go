// Package crlf holds the two ends of a CRLF dialogue such as SMTP or POP3: command lines, the
// message after DATA, and dot stuffing both ways.
package crlf

import (
	"bytes"
	"errors"
	"io"
)

var (
	// ErrTooLong says that a line is longer than the reader's limit.
	ErrTooLong = errors.New("crlf: line too long")
	// ErrBareLF says that a line of a message ended by LF without CR.
	ErrBareLF = errors.New("crlf: bare LF in a message")
)

// bufferSize is what one read of the source asks for. It must exceed the longest line start
// that DataReader needs to see whole.
const bufferSize = 16 << 10

// A Reader reads a dialogue.
type Reader struct {
	src io.Reader
	buf []byte // unread bytes are buf[r:w]
	r   int
	w   int
	big []byte // a line that is longer than buf, as far as it has come
}

// NewReader returns a Reader of src. It reads src only when what it has is used up, so a src
// that first sends what is waiting to be sent makes pipelining work.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, bufferSize)} }

// Reset makes r a Reader of src that knows nothing of what it has read.
func (r *Reader) Reset(src io.Reader) {
	clear(r.buf)
	*r = Reader{src: src, buf: r.buf}
}

// Buffered returns how many bytes have been read from the source and not been asked for.
func (r *Reader) Buffered() int { return r.w - r.r }

// fill moves the unread bytes to the front and reads once. There must be room.
func (r *Reader) fill() error {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Line returns the next line without its LF and the CR before that, if there is one. A line over limit bytes is
// ErrTooLong, with the reader in the middle of it. The bytes are valid until the next call. An end of input, in a
// line too, is io.EOF.
func (r *Reader) Line(limit int) ([]byte, error) {
	r.big = r.big[:0]
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[r.r+seen:r.w], '\n'); i >= 0 {
			line := r.buf[r.r : r.r+seen+i]
			r.r += seen + i + 1
			if len(r.big) > 0 {
				r.big = append(r.big, line...)
				line = r.big
			}
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			if len(line) > limit {
				return nil, ErrTooLong
			}
			return line, nil
		}
		seen = r.w - r.r
		if len(r.big)+seen > limit+1 { // one more than the limit may be the CR
			return nil, ErrTooLong
		}
		if seen == len(r.buf) {
			r.big = append(r.big, r.buf...)
			r.r, r.w, seen = 0, 0, 0
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// Verb splits a command line into its first word and the rest, without the spaces between.
func Verb(line []byte) (verb, arg []byte) {
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		return line, nil
	}
	verb, arg = line[:i], line[i:]
	for len(arg) > 0 && arg[0] == ' ' {
		arg = arg[1:]
	}
	return verb, arg
}
