package peerlog

import (
	"bytes"
	"strings"
	"testing"
)

func TestALineIsOneLineWhateverTheClientSays(t *testing.T) {
	var b bytes.Buffer
	l := New(&b, "qmail-smtpd", "192.0.2.1", 77)
	l.Say("553 no (#5.7.1)", "from", "a@b\r\nqmail-smtpd: 198.51.100.1 pid 1: 553 no", "to", strings.Repeat("x\x1b", 5000))
	line := b.String()
	want := "qmail-smtpd: 192.0.2.1 pid 77: 553 no (#5.7.1) from <a@b_/qmail-smtpd:_198.51.100.1_pid_1:_553_no> to <x_x_"
	if !strings.HasPrefix(line, want) || strings.Count(line, "\n") != 1 || len(line) > 1024 {
		t.Errorf("%d bytes: %q", len(line), line)
	}
	for _, c := range []byte(line[:len(line)-1]) {
		if c < ' ' || c > '~' {
			t.Fatalf("%q", line)
		}
	}
}

func TestOnlyASessionThatIsToldToLogs(t *testing.T) {
	var b bytes.Buffer
	for _, l := range []*Log{
		Of(&b, "p", []string{"TCPREMOTEIP=192.0.2.1"}, 1), Of(nil, "p", []string{"LOGREFUSED="}, 1), nil,
	} {
		l.Say("x")
	}
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
	Of(&b, "p", []string{"TCPREMOTEIP=2001:db8::1", "LOGREFUSED="}, 1).Say("x")
	Of(&b, "p", []string{"LOGREFUSED=1"}, 1).Say("y")
	if want := "p: 2001:db8::1 pid 1: x\np: unknown pid 1: y\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func FuzzALineIsReadAsItWasWritten(f *testing.F) {
	f.Add("a@b> to <x@y", "c d\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		var b bytes.Buffer
		New(&b, "qmail-smtpd", "192.0.2.1", 77).Say("553 sorry, no (#5.7.1)", "from", one, "to", two)
		l, ok := Parse(strings.TrimSuffix(b.String(), "\n"))
		want := []string{"from", "to"}
		if two == "" {
			want = want[:1] // an empty word is left out, but for a sender
		}
		if !ok || l.Program != "qmail-smtpd" || l.Address != "192.0.2.1" || l.Pid != 77 ||
			l.Text != "553 sorry, no (#5.7.1)" || len(l.Pairs) != 2*len(want) {
			t.Fatalf("%q became %+v", b.String(), l)
		}
		for i, w := range want {
			if l.Pairs[2*i] != w {
				t.Errorf("%q became %+v", b.String(), l)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("qmail-smtpd: 192.0.2.1 pid 77: 553 no (#5.7.1) from <a@b>")
	f.Add("qmail-x:  pid 1:  <> <>")
	f.Fuzz(func(t *testing.T, s string) {
		if l, ok := Parse(s); ok && len(l.Pairs)%2 != 0 {
			t.Errorf("%q: %+v", s, l)
		}
	})
}
