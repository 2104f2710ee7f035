package dkim

import (
	"bytes"
	"io"

	"qmail/internal/text/ascii"
)

// A Canon is a way to write a header or a body before it is hashed, RFC 6376, section 3.4.
type Canon uint8

const (
	Simple Canon = iota
	Relaxed
)

func (c Canon) String() string {
	if c == Relaxed {
		return "relaxed"
	}
	return "simple"
}

// parseCanon reads the c= tag; what it does not say is simple.
func parseCanon(s string) (header, body Canon, ok bool) {
	name, after, both := bytes.Cut([]byte(s), []byte("/"))
	header, ok = canonOf(string(name))
	if both && ok {
		body, ok = canonOf(string(after))
	}
	return header, body, ok
}

func canonOf(s string) (Canon, bool) {
	switch s {
	case "simple":
		return Simple, true
	case "relaxed":
		return Relaxed, true
	}
	return 0, false
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// appendField appends a field of a header, with or without the line end that raw has.
func (c Canon) appendField(b, raw []byte) []byte {
	if c == Simple {
		return append(b, raw...)
	}
	name, value, _ := bytes.Cut(raw, []byte(":"))
	start := len(b)
	b = append(b, bytes.TrimRight(name, " \t")...)
	ascii.Lower(b[start:])
	b = append(b, ':')
	space, first := false, true
	for i := 0; i < len(value); i++ {
		switch v := value[i]; {
		case blank(v):
			space = true
		case v == '\r' && i+1 < len(value) && value[i+1] == '\n':
			i++
		default:
			if space && !first {
				b = append(b, ' ')
			}
			space, first = false, false
			b = append(b, v)
		}
	}
	if bytes.HasSuffix(raw, lineEnd) {
		b = append(b, lineEnd...)
	}
	return b
}

var lineEnd = []byte("\r\n")

// pieceSize is how much of a canonical body is passed on at once.
const pieceSize = 4 << 10

// A body writes the canonical form of what it gets. It remembers that there were blank lines and blanks, never the
// lines: a body of any kind costs the time of its length, and no memory.
type body struct {
	canon Canon
	to    io.Writer // never fails
	out   []byte
	ends  int64 // line ends that count only if something follows
	space bool  // blanks that count only if something follows on the line
	cr    bool  // the last byte was a CR
	any   bool  // something that counts has been written
}

func newBody(c Canon, to io.Writer) *body {
	return &body{canon: c, to: to, out: make([]byte, 0, pieceSize)}
}

func (w *body) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		c := p[i]
		if w.cr {
			w.cr = false
			if c == '\n' {
				w.ends++
				w.space = false
				continue
			}
			w.put('\r')
		}
		switch {
		case c == '\r':
			w.cr = true
		case w.canon == Relaxed && blank(c):
			w.space = true
		default:
			w.put(c)
			i += w.run(p[i+1:])
		}
	}
	return len(p), nil
}

// run writes the bytes at the beginning of p that are as they are in either form, and returns how many they are.
func (w *body) run(p []byte) int {
	n := 0
	for n < len(p) && p[n] > ' ' {
		n++
	}
	for rest := p[:n]; len(rest) > 0; {
		k := copy(w.out[len(w.out):cap(w.out)], rest)
		w.out, rest = w.out[:len(w.out)+k], rest[k:]
		w.flush(1)
	}
	return n
}

// put writes a byte, and what now counts before it.
func (w *body) put(c byte) {
	for ; w.ends > 0; w.ends-- {
		w.out = append(w.out, '\r', '\n')
		w.flush(2)
	}
	if w.space {
		w.space = false
		w.out = append(w.out, ' ')
		w.flush(2)
	}
	w.any = true
	w.out = append(w.out, c)
	w.flush(2)
}

// flush passes on what is there where less than some bytes fit besides.
func (w *body) flush(room int) {
	if cap(w.out)-len(w.out) < room {
		w.to.Write(w.out)
		w.out = w.out[:0]
	}
}

// Close writes the end: a body has one line end there, and where it is empty the relaxed form has none.
func (w *body) Close() {
	if w.cr {
		w.cr = false
		w.put('\r')
	}
	if w.any || w.canon == Simple {
		w.out = append(w.out, '\r', '\n')
	}
	w.to.Write(w.out)
	w.out = w.out[:0]
}
