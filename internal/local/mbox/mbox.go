// Package mbox adds messages to mbox files, by mbox(5), in the variant that quotes every From line and
// can be undone.
package mbox

import (
	"bufio"
	"bytes"
	"io"
	"time"

	"qmail/internal/text/ascii"
)

// FromLine returns the line that begins a message in an mbox: the envelope sender, with blanks and control bytes made
// dashes, and the time in GMT.
func FromLine(sender string, t time.Time) string {
	b := make([]byte, 0, len(sender)+40)
	b = append(b, "From "...)
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	for i := 0; i < len(sender); i++ {
		if c := sender[i]; c == ' ' || ascii.IsControl(c) {
			b = append(b, '-')
		} else {
			b = append(b, c)
		}
	}
	b = append(b, ' ')
	b = t.UTC().AppendFormat(b, "Mon Jan _2 15:04:05 2006")
	return string(append(b, '\n'))
}

var from = []byte("From ")

// Copy writes a message's text as it stands in an mbox after its From line: a line that begins with From, behind any
// number of >, gets one > more; a last line without newline gets one; a blank line ends it. An
// error is a ReadError when it is r's, else w's.
func Copy(w *bufio.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, 32<<10)
	for {
		err := copyLine(w, in)
		if err == io.EOF {
			return w.WriteByte('\n')
		}
		if err != nil {
			return err
		}
	}
}

// copyLine copies one line, and returns io.EOF where there is none.
func copyLine(w *bufio.Writer, in *bufio.Reader) error {
	first, err := in.Peek(1)
	if len(first) == 0 {
		return readError(err)
	}
	depth := 0
	for len(first) > 0 && first[0] == '>' {
		depth++
		in.Discard(1)
		first, err = in.Peek(1)
	}
	if len(first) == 0 && err != io.EOF {
		return readError(err)
	}
	if start, _ := in.Peek(len(from)); bytes.Equal(start, from) {
		depth++
	}
	for ; depth > 0; depth-- {
		w.WriteByte('>')
	}
	for {
		part, err := in.ReadSlice('\n')
		if _, werr := w.Write(part); werr != nil {
			return werr
		}
		switch err {
		case nil:
			return nil
		case io.EOF:
			return w.WriteByte('\n')
		case bufio.ErrBufferFull:
		default:
			return readError(err)
		}
	}
}

// A ReadError is trouble with the message, not with the mbox.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return e.Err.Error() }
func (e *ReadError) Unwrap() error { return e.Err }

func readError(err error) error {
	if err == io.EOF {
		return err
	}
	return &ReadError{err}
}
