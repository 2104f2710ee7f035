package crlf

import (
	"bytes"
	"io"
)

// peek is how many bytes of a line LineStart sees; a line that is shorter is seen whole.
const peek = 10

// A DataReader decodes the message that follows DATA: CRLF becomes LF, a dot that begins a line is
// dropped, and a line of one dot ends the message. A bare CR stays. It is strict, since what two hosts
// read differently smuggles a second message past one of them (RFC 5321, 4.1.1.4): a bare LF is an
// error, and nothing but CRLF.CRLF ends the message.
type DataReader struct {
	r    *Reader
	mid  bool // in the middle of a line
	done bool

	// LineStart, unless it is nil, is called with the first bytes of each line as it came, before a dot is dropped
	// and with the CR, without the LF. When it returns false it is not called again.
	LineStart func(first []byte) bool
}

// Data returns a reader of the message that follows. The Reader is not to be used before
// Next has returned io.EOF.
func (r *Reader) Data() *DataReader { return &DataReader{r: r} }

// Next returns the next piece of the message, never empty, valid until the next call; io.EOF after the last. A
// source that ends inside the message is io.ErrUnexpectedEOF.
func (d *DataReader) Next() ([]byte, error) {
	for !d.done {
		piece, err := d.decode()
		if err != nil {
			return nil, err
		}
		if len(piece) > 0 {
			return piece, nil
		}
		if d.done {
			break
		}
		if err := d.r.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return nil, io.EOF
}

// decode decodes what the Reader has, in place: a piece is never longer than what it was made of. Bytes at the end
// whose meaning depends on what follows stay unread: a CR, and a line start of less than peek bytes.
func (d *DataReader) decode() ([]byte, error) {
	b := d.r.buf[d.r.r:d.r.w]
	in, out := 0, 0
	for in < len(b) && !d.done {
		line, whole := b[in:], false
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, whole = line[:i], true
		}
		switch {
		case whole && (len(line) == 0 || line[len(line)-1] != '\r'):
			return nil, ErrBareLF
		case !whole && !d.mid && len(line) < peek:
			d.r.r += in
			return b[:out], nil
		}
		used := len(line)
		if whole {
			used++
		}
		if !d.mid {
			if d.LineStart != nil && !d.LineStart(line[:min(len(line), peek)]) {
				d.LineStart = nil
			}
			if len(line) == 2 && line[0] == '.' && whole {
				d.done = true // a dot and a CR
				in += used
				break
			}
			// A dot before a CR that ends no line stays, as it always has.
			if line[0] == '.' && line[1] != '\r' {
				line = line[1:]
			}
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
			if !whole {
				used--
			}
		}
		out += copy(b[out:], line)
		if whole {
			b[out] = '\n'
			out++
		}
		d.mid = !whole
		in += used
		if !whole {
			break
		}
	}
	d.r.r += in
	return b[:out], nil
}
