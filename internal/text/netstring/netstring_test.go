package netstring

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatWasAppendedIsReadBack(t *testing.T) {
	for _, s := range []string{"", "a", "3:abc,", strings.Repeat("x", 10000)} {
		r := bufio.NewReader(bytes.NewReader(append(AppendString(nil, s), "rest"...)))
		got, err := Read(r, 20000)
		if err != nil || string(got) != s {
			t.Errorf("%.20q: %.20q, %v", s, got, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "rest" {
			t.Errorf("%.20q: then %q", s, rest)
		}
	}
}

func TestWhatIsNoNetstringIsRefused(t *testing.T) {
	for in, want := range map[string]error{
		"": io.EOF, "3": io.ErrUnexpectedEOF, "3:": io.ErrUnexpectedEOF, "3:ab": io.ErrUnexpectedEOF,
		"3:abc":  io.ErrUnexpectedEOF,
		"3:abc;": ErrFormat, ":": ErrFormat, "-1:": ErrFormat, " 3:abc,": ErrFormat, "abc": ErrFormat, "3;": ErrFormat,
		"101:": ErrTooLong, "99999999999999999999:": ErrTooLong, "18446744073709551617:a,": ErrTooLong,
		strings.Repeat("0", 100) + ":,": ErrFormat,
	} {
		if _, err := Read(bufio.NewReader(strings.NewReader(in)), 100); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestZerosBeforeTheLengthAreAllowed(t *testing.T) {
	if got, err := Read(bufio.NewReader(strings.NewReader("003:abc,")), 3); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("1000000000:abc"))
	if n := testing.AllocsPerRun(1, func() { Read(r, 1<<40) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNetstring(f *testing.F) {
	f.Add([]byte("3:abc,x"))
	f.Add([]byte("00:,"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		s, err := Read(r, 1<<20)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(r)
		head := bytes.TrimLeft(b[:len(b)-len(rest)], "0")
		if again := bytes.TrimLeft(Append(nil, s), "0"); !bytes.Equal(again, head) {
			t.Errorf("%q became %q", b, again)
		}
	})
}
