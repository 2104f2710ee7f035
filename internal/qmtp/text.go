package qmtp

import (
	"bytes"
	"io"
)

// A Text reads a message with lines that end by LF. In QMTP its first byte tells whether lines came with LF or
// with CRLF.
type Text struct {
	f  *Frame
	cr bool
	// held is a CR at the end of a piece: what follows tells whether it stays.
	held bool
	buf  []byte
}

// PlainText reads a message whose lines end by LF, as all do in QMQP.
func PlainText(f *Frame) *Text { return &Text{f: f} }

// MarkedText reads the first byte of a QMTP message.
func MarkedText(f *Frame) (*Text, error) {
	c, err := f.ReadByte()
	switch {
	case err != nil:
		return nil, unexpected(err)
	case c == '\n':
		return &Text{f: f}, nil
	case c == '\r':
		return &Text{f: f, cr: true}, nil
	}
	return nil, ErrProtocol
}

// Next returns the next piece, valid until the next call; io.EOF after the last.
func (t *Text) Next() ([]byte, error) {
	piece, err := t.f.Next()
	if !t.cr || err != nil && err != io.EOF {
		return piece, err
	}
	if err == io.EOF {
		if t.held {
			t.held = false
			return []byte{'\r'}, nil
		}
		return nil, err
	}
	out := t.buf[:0]
	if t.held && piece[0] != '\n' {
		out = append(out, '\r')
	}
	t.held = false
	for len(piece) > 0 {
		i := bytes.IndexByte(piece, '\r')
		if i < 0 {
			out = append(out, piece...)
			break
		}
		out = append(out, piece[:i]...)
		piece = piece[i+1:]
		switch {
		case len(piece) == 0:
			t.held = true
		case piece[0] != '\n':
			out = append(out, '\r')
		}
	}
	t.buf = out
	return out, nil
}
