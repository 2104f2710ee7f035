package crlf

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// encodeModel says byte by byte what the Encoder must write.
func encodeModel(msg []byte) (wire []byte, err error) {
	start := true
	for i, c := range msg {
		switch {
		case c == '\n' && i > 0 && msg[i-1] == '\r':
			// its CR has become a line end already
		case c == '\n' || c == '\r':
			wire = append(wire, '\r', '\n')
			start = true
		default:
			if start && c == '.' {
				wire = append(wire, '.')
			}
			wire = append(wire, c)
			start = false
		}
	}
	if !start {
		return wire, ErrPartialLine
	}
	return append(wire, ".\r\n"...), nil
}

// encode sends msg through an Encoder in pieces of the given length.
func encode(msg []byte, piece int) ([]byte, error) {
	var wire bytes.Buffer
	e := NewEncoder(&wire)
	for rest := msg; len(rest) > 0; {
		n := min(piece, len(rest))
		if k, err := e.Write(rest[:n]); k != n || err != nil {
			return nil, errors.New("short write")
		}
		rest = rest[n:]
	}
	err := e.Close()
	return wire.Bytes(), err
}

func TestEveryLineEndLeavesAsCRLFAndEveryDotAfterOneIsDoubled(t *testing.T) {
	for msg, want := range map[string]string{
		"":                   ".\r\n",
		"a\n":                "a\r\n.\r\n",
		".\n":                "..\r\n.\r\n",
		"..\n.a\na.\n":       "...\r\n..a\r\na.\r\n.\r\n",
		"a\rb\r\nc\r\r\n\n":  "a\r\nb\r\nc\r\n\r\n\r\n.\r\n",
		"a\r.\r\nb\n.\r\n":   "a\r\n..\r\nb\r\n..\r\n.\r\n",
		"a\r\n.\r\nQUIT\r\n": "a\r\n..\r\nQUIT\r\n.\r\n",
		"a\n.\rQUIT\n":       "a\r\n..\r\nQUIT\r\n.\r\n",
		"a\r":                "a\r\n.\r\n",
		"\xff\x00\n":         "\xff\x00\r\n.\r\n",
	} {
		got, err := encode([]byte(msg), len(msg)+1)
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v; want %q", msg, got, err, want)
		}
	}
}

func TestMessageWithoutItsLastLineEndIsRefused(t *testing.T) {
	for _, msg := range []string{"x", "x\n.", "\n ", "a\rb"} {
		if _, err := encode([]byte(msg), 1); err != ErrPartialLine {
			t.Errorf("%q: %v", msg, err)
		}
	}
}

func TestEncoderStopsAtTheFirstError(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if n, err := NewEncoder(w).Write([]byte(".\n")); n != 0 || err != io.ErrClosedPipe {
		t.Error(n, err)
	}
}

func FuzzEncoder(f *testing.F) {
	for _, s := range []string{"", "a\rb\r\nc\r\r\n\n", "\r.\r.\n", ".", "\n.\r\n.\r\n", strings.Repeat("\r", 9)} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, msg []byte, piece int) {
		got, err := encode(msg, max(1, piece))
		want, wantErr := encodeModel(msg)
		if err != wantErr || !bytes.Equal(got, want) {
			t.Fatalf("%q by %d: %q, %v; want %q, %v", msg, piece, got, err, want, wantErr)
		}
		if err != nil {
			return
		}
		// No receiver, whatever it takes for a line end, may see the data end early.
		body := got[:len(got)-len(finalDot)]
		for _, end := range []string{"\n.\n", "\n.\r", "\r.\r", "\r.\n"} {
			if bytes.Contains(append([]byte("\n"), body...), []byte(end)) {
				t.Fatalf("%q: %q inside the data", msg, end)
			}
		}
	})
}

func BenchmarkEncoder(b *testing.B) {
	msg := bytes.Repeat([]byte("a line of about sixty bytes as they are found in most mails\n"), 500)
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		e := NewEncoder(io.Discard)
		e.Write(msg)
	}
}
