package crlf

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func lines(r *Reader, limit int) (list []string, err error) {
	for {
		b, err := r.Line(limit)
		if err != nil {
			return list, err
		}
		list = append(list, string(b))
	}
}

func TestLineEndsAtLFAndLosesOneCR(t *testing.T) {
	for size := 1; size < 10; size++ {
		got, err := lines(NewReader(&pieces{[]byte("a\r\nb\nc\r\r\n\r\n\nlast"), size}), 100)
		if want := "a|b|c\r||"; strings.Join(got, "|") != want || err != io.EOF {
			t.Errorf("by %d: %q, %v", size, got, err)
		}
	}
}

func TestLineOverTheLimitIsRefusedBeforeItIsRead(t *testing.T) {
	endless := &endless{}
	if _, err := NewReader(endless).Line(100_000); err != ErrTooLong {
		t.Fatal(err)
	}
	if endless.given > 100_000+2*bufferSize {
		t.Errorf("%d bytes were read", endless.given)
	}
	for _, n := range []int{0, 1, 99, 100, bufferSize, bufferSize + 1, 3 * bufferSize} {
		line := strings.Repeat("x", n)
		for _, end := range []string{"\n", "\r\n"} {
			if got, err := NewReader(strings.NewReader(line + end)).Line(n); err != nil || string(got) != line {
				t.Errorf("%d bytes and %q: %d, %v", n, end, len(got), err)
			}
			if n > 0 {
				if _, err := NewReader(strings.NewReader(line + end)).Line(n - 1); err != ErrTooLong {
					t.Errorf("%d bytes and %q over the limit: %v", n, end, err)
				}
			}
		}
	}
}

// endless never ends a line.
type endless struct{ given int }

func (e *endless) Read(b []byte) (int, error) {
	e.given += len(b)
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("HELO x\r\nMAIL\n\n"), 2)
	f.Fuzz(func(t *testing.T, input []byte, size int) {
		if len(input) > 1<<16 {
			return
		}
		var want []string
		rest := input
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			want = append(want, string(bytes.TrimSuffix(rest[:i], []byte("\r"))))
			rest = rest[i+1:]
		}
		got, err := lines(NewReader(&pieces{input, min(max(size, 1), 1<<16)}), 1<<17)
		if err != io.EOF || strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Errorf("%q: %q, %v", input, got, err)
		}
	})
}

func TestVerbIsTheFirstWord(t *testing.T) {
	for line, want := range map[string][2]string{
		"": {"", ""}, "QUIT": {"QUIT", ""}, "MAIL FROM:<a>": {"MAIL", "FROM:<a>"}, "a   b c": {"a", "b c"},
		" a": {"", "a"}, "a ": {"a", ""},
	} {
		if v, a := Verb([]byte(line)); string(v) != want[0] || string(a) != want[1] {
			t.Errorf("%q: %q %q", line, v, a)
		}
	}
}

func TestAReaderThatIsResetKnowsNothingOfBefore(t *testing.T) {
	r := NewReader(strings.NewReader("EHLO secret\r\nMAIL FROM:<secret>\r\n"))
	if line, err := r.Line(100); string(line) != "EHLO secret" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	r.Reset(strings.NewReader("EHLO other\r\n"))
	if bytes.Contains(r.buf, []byte("secret")) {
		t.Error("the bytes are still there")
	}
	if line, err := r.Line(100); string(line) != "EHLO other" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if line, err := r.Line(100); err != io.EOF {
		t.Errorf("%q, %v", line, err)
	}
}
