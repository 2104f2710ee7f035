package crlf

import (
	"bytes"
	"errors"
	"io"
)

// ErrPartialLine says that a message does not end with a line end, so that SMTP cannot carry it.
var ErrPartialLine = errors.New("the last line has no end")

// An Encoder writes a queued message to the wire as what follows DATA. Every line end of the
// message, be it LF, CRLF or a CR alone, leaves as CRLF, and a dot that begins a line is doubled, so
// that no receiver, however it reads line ends, finds an end of the data that is not ours
// (RFC 5321, sections 2.3.8 and 4.5.2).
type Encoder struct {
	w       io.Writer // buffered by the caller: writes are as short as lines
	midLine bool      // the last byte written was not part of a line end
	afterCR bool      // the last byte read was a CR; an LF would belong to it
	dotless bool      // no dot is doubled
}

// NewEncoder returns an Encoder that writes to w. Writes to w may be short, so it should be buffered.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// NewLines returns an Encoder that leaves dots alone: what it writes is what the receiver reads. Close is not for it.
func NewLines(w io.Writer) *Encoder { return &Encoder{w: w, dotless: true} }

var (
	lineEnd  = []byte("\r\n")
	dot      = []byte(".")
	finalDot = []byte(".\r\n")
)

// Write encodes the next bytes of the message.
func (e *Encoder) Write(p []byte) (int, error) {
	lf := -1 // where the next LF is: looked for once, however many CRs come before it
	for at := 0; at < len(p); {
		if e.afterCR {
			e.afterCR = false
			if p[at] == '\n' {
				at++
				continue
			}
		}
		if lf < at {
			lf = index(p, at, '\n')
		}
		end := lf
		if i := bytes.IndexByte(p[at:lf], '\r'); i >= 0 {
			end = at + i
		}
		if err := e.line(p[at:end], end < len(p)); err != nil {
			return at, err
		}
		e.afterCR = end < lf
		at = end + 1
	}
	return len(p), nil
}

// index returns where c is in p at or after at, or len(p).
func index(p []byte, at int, c byte) int {
	if i := bytes.IndexByte(p[at:], c); i >= 0 {
		return at + i
	}
	return len(p)
}

// line writes a line or a part of one, and its end if it is complete.
func (e *Encoder) line(b []byte, complete bool) error {
	if len(b) > 0 {
		if !e.midLine && b[0] == '.' && !e.dotless {
			if _, err := e.w.Write(dot); err != nil {
				return err
			}
		}
		if _, err := e.w.Write(b); err != nil {
			return err
		}
		e.midLine = true
	}
	if !complete {
		return nil
	}
	e.midLine = false
	_, err := e.w.Write(lineEnd)
	return err
}

// Close writes the dot that ends the data, or returns ErrPartialLine.
func (e *Encoder) Close() error {
	if e.midLine {
		return ErrPartialLine
	}
	_, err := e.w.Write(finalDot)
	return err
}
