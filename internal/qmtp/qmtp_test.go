package qmtp

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"

	"qmail/internal/text/netstring"
	"qmail/internal/text/report"
)

func frame(s string) *Frame { return Connection(bufio.NewReaderSize(strings.NewReader(s), 16)) }

// all reads a QMTP message as a frame of its own.
func all(s string) (string, error) {
	f := frame(s)
	n, err := f.Len(MaxMessage)
	if err != nil {
		return "", err
	}
	in, err := f.Inner(n)
	if err != nil {
		return "", err
	}
	text, err := MarkedText(in)
	if err != nil {
		return "", err
	}
	var out []byte
	for {
		b, err := text.Next()
		if err == io.EOF {
			return string(out), f.End()
		}
		if err != nil {
			return "", err
		}
		out = append(out, b...)
	}
}

func TestTextWithCRLFBecomesOneWithLF(t *testing.T) {
	for in, want := range map[string]string{
		"\n":              "",
		"\na\r\nb\n":      "a\r\nb\n",
		"\r":              "",
		"\ra\r\nb\r\n":    "a\nb\n",
		"\ra\r\r\nb\rc\r": "a\r\nb\rc\r",
		"\r\r":            "\r",
		"\r\r\r\r\n":      "\r\r\n",
		"\r" + strings.Repeat("0123456789abcde\r\n", 99): strings.Repeat("0123456789abcde\n", 99),
	} {
		if got, err := all(string(netstring.AppendString(nil, in))); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestTextThatIsMarkedOtherwiseBreaksTheProtocol(t *testing.T) {
	for in, want := range map[string]error{
		"1:x,": ErrProtocol, "0:,": ErrProtocol, "3:\nab;": ErrProtocol, "x": ErrLength, "": io.EOF,
		"3:\na": io.ErrUnexpectedEOF,
		"3:":    io.ErrUnexpectedEOF, "2000000001:": ErrTooMuch,
	} {
		if _, err := all(in); err != want {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestInnerFramesNeverReachOutOfTheirs(t *testing.T) {
	for _, in := range []string{"3:9:a,", "3:3:a,,", "2:1:,,", "4:1:ab,,"} {
		f := frame(in)
		n, err := f.Len(MaxMessage)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := f.Inner(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := inner.Address(); err != ErrProtocol {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestAddressThatIsTooLongOrHasANULIsReadAndNotTaken(t *testing.T) {
	for n, want := range map[int]bool{0: true, MaxAddress - 1: true, MaxAddress: false, 5 * MaxAddress: false} {
		s := strings.Repeat("x", n)
		f := frame(string(netstring.AppendString(nil, s)) + "1:y,")
		got, ok, err := f.Address()
		if err != nil || ok != want || ok && got != s {
			t.Errorf("%d bytes: %v, %v", n, ok, err)
		}
		if got, ok, err := f.Address(); got != "y" || !ok || err != nil {
			t.Errorf("after %d bytes: %q, %v, %v", n, got, ok, err)
		}
	}
	if _, ok, err := frame("3:a\x00b,").Address(); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestReplyTravels(t *testing.T) {
	for _, r := range []*report.Report{report.Done("ok 1 qp 2"), report.Defer("4.3.0", "later"),
		report.Fail("5.1.3", "never")} {
		got, err := ReadReply(bufio.NewReader(bytes.NewReader(AppendReply(nil, r))))
		if err != nil || got.Kind != r.Kind || got.Error() != r.Error() {
			t.Errorf("%v: %v, %v", r, got, err)
		}
	}
	for _, bad := range []string{"", "0:,", "1:X,", "1:K", "99999:K"} {
		if r, err := ReadReply(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q: %v", bad, r)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("\ra\r\nb\r"), 3)
	f.Add([]byte("\na\r\n"), 1)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		got, err := all(string(netstring.Append(nil, b)))
		if len(b) == 0 || b[0] != '\r' && b[0] != '\n' {
			if err == nil {
				t.Errorf("%q was taken", b)
			}
			return
		}
		want := string(b[1:])
		if b[0] == '\r' {
			want = strings.ReplaceAll(want, "\r\n", "\n")
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", b, got, err)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("3:Kok,"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadReply(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		again, err := ReadReply(bufio.NewReader(bytes.NewReader(AppendReply(nil, r))))
		if err != nil || *again != *r {
			t.Errorf("%v, then %v, %v", r, again, err)
		}
	})
}
