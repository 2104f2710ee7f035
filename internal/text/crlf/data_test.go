package crlf

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// pieces gives its bytes a few at a time.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(len(p.rest), max(1, p.size))])
	p.rest = p.rest[n:]
	return n, nil
}

// A decoded is what became of the bytes after DATA.
type decoded struct {
	text   string
	starts []string
	rest   string // what was not read
	err    error
}

// decode runs the DataReader over input that comes in pieces of the given size.
func decode(input []byte, size int) decoded {
	r := NewReader(&pieces{input, size})
	d := r.Data()
	var out decoded
	var text []byte
	d.LineStart = func(first []byte) bool {
		out.starts = append(out.starts, string(first))
		return len(out.starts) < 1000
	}
	for {
		b, err := d.Next()
		if err != nil {
			if err != io.EOF {
				out.err = err
			}
			break
		}
		text = append(text, b...)
	}
	out.text = string(text)
	rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(r.buf[r.r:r.w]), r.src))
	out.rest = string(rest)
	return out
}

// model reads one byte at a time and remembers what the last ones were.
func model(input []byte) decoded {
	const (
		inLine  = iota
		start   // after CRLF
		dot     // after CRLF and a dot
		dotCR   // and a CR
		afterCR // in a line
	)
	var out decoded
	var raw, text []byte
	state := start
	put := func(s string) { text = append(text, s...) }
	for i, c := range input {
		if c == '\n' {
			if len(out.starts) < 1000 {
				out.starts = append(out.starts, string(raw[:min(len(raw), peek)]))
			}
			raw = raw[:0]
		} else {
			raw = append(raw, c)
		}
		switch state {
		case inLine, start, dot:
			switch {
			case c == '\n':
				out.err = ErrBareLF
				return out
			case c == '.' && state == start:
				state = dot
				continue
			case c == '\r' && state == dot:
				state = dotCR
				continue
			case c == '\r':
				state = afterCR
				continue
			}
			state = inLine
		case dotCR:
			if c == '\n' {
				out.text, out.rest = string(text), string(input[i+1:])
				return out
			}
			put(".\r")
			if c == '\r' {
				state = afterCR
				continue
			}
			state = inLine
		case afterCR:
			if c == '\n' {
				state = start
				break
			}
			put("\r")
			if c == '\r' {
				continue
			}
			state = inLine
		}
		put(string([]byte{c}))
	}
	out.err = io.ErrUnexpectedEOF
	return out
}

func compare(t *testing.T, input []byte, size int) {
	t.Helper()
	got, want := decode(input, size), model(input)
	if got.err != want.err {
		t.Fatalf("%q by %d: %v, want %v", input, size, got.err, want.err)
	}
	if want.err != nil {
		return // how far it came depends on how the bytes came
	}
	if got.text != want.text || got.rest != want.rest {
		t.Fatalf("%q by %d: text %q rest %q, want %q and %q", input, size, got.text, got.rest, want.text, want.rest)
	}
	if strings.Join(got.starts, "\n") != strings.Join(want.starts, "\n") {
		t.Fatalf("%q by %d: lines %q, want %q", input, size, got.starts, want.starts)
	}
}

func TestDataIsDecodedAsOneByteAtATime(t *testing.T) {
	long := strings.Repeat("x", bufferSize-1)
	for _, input := range []string{
		"", ".", ".\r", ".\r\n", "\r\n.\r\n", "a\r\n.\r\nQUIT\r\n", "..\r\n.\r\n", ".a\r\n.\r\n", "...\r\n.\r\n",
		".\ra\r\n.\r\n", ".\r\r\n.\r\n", "\r\r\n.\r\n", "a\rb\r\n\r.\r\n\rx\r\n.\r\n", "a\nb\r\n.\r\n", "\n.\r\n", "a\r\n.\n",
		"a\n.\r\n.\r\n", "a\r\n.\r.\r\n.\r\n", "a\r\n.\r\n.\r\n", "\x00\xff\r\n.\r\n", ". \r\n.\r\n",
		long + "\r\n.\r\n", long + "\r\r\n.\r\n", long + "x\r\n..\r\n.\r\nrest", long + long + "\r\n.\r\n", long + "\n.\r\n",
		strings.Repeat(".\r\r", 9000) + "\r\n.\r\n", "Received: a\r\nDelivered-To: b\r\n\r\nx\r\n.\r\n",
	} {
		for _, size := range []int{1, 2, 3, 7, 4096, 1 << 20} {
			compare(t, []byte(input), size)
		}
	}
}

func FuzzDataIsDecodedAsOneByteAtATime(f *testing.F) {
	f.Add([]byte("Subject: x\r\n\r\n..a\r\nb\rc\r\n.\r\nQUIT\r\n"), 3)
	f.Add([]byte(".\r.\r\r\n\n"), 1)
	f.Add([]byte("\r\n.\r\r\n.\r\n"), 1)
	f.Fuzz(func(t *testing.T, input []byte, size int) {
		if len(input) < 1<<16 {
			compare(t, input, min(max(size, 1), 1<<16))
		}
	})
}

// No text between two line ends of any kind may become a message of its own.
func TestNothingButCRLFDotCRLFEndsTheMessage(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n\n.\n\n",
		"\r\n.\r\r\n", "\r\n\x00.\r\n"} {
		got := decode([]byte("a"+end+"MAIL FROM:<evil>\r\n.\r\nQUIT\r\n"), 4096)
		if got.err == nil && got.rest != "QUIT\r\n" {
			t.Errorf("after %q the rest is %q", end, got.rest)
		}
	}
}

func BenchmarkData(b *testing.B) {
	text := []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1000) + ".\r\n")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	src := &pieces{size: bufferSize}
	r := NewReader(src)
	for b.Loop() {
		src.rest = text
		d := r.Data()
		for {
			if _, err := d.Next(); err != nil {
				break
			}
		}
	}
}
