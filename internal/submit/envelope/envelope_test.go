package envelope

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"

	"qmail/internal/text/dsn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// read reads an envelope to its end.
func read(b []byte) (records [][]byte, err error) {
	r := NewReader(bufio.NewReader(bytes.NewReader(b)))
	for {
		rec, err := r.Next()
		if err != nil {
			return records, err
		}
		records = append(records, bytes.Clone(rec))
	}
}

func TestEnvelopesAreReadAsQmailQueueDocuments(t *testing.T) {
	addr := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		in   string
		err  error
		want int
	}{
		{"Fa@b\x00Tc@d\x00\x00", io.EOF, 2},
		{"F\x00\x00", io.EOF, 1},
		{"Fa@b\x00T\x00T\x00\x00garbage", io.EOF, 3},
		{"", io.ErrUnexpectedEOF, 0},
		{"Fa@b", io.ErrUnexpectedEOF, 0},
		{"Fa@b\x00Tc@d\x00", io.ErrUnexpectedEOF, 2},
		{"\x00", ErrFormat, 0},
		{"Ta@b\x00\x00", ErrFormat, 0},
		{"fa@b\x00\x00", ErrFormat, 0},
		{"Fa@b\x00Fc@d\x00\x00", ErrFormat, 1},
		{"F" + addr(MaxAddress-1) + "\x00T" + addr(MaxAddress-1) + "\x00\x00", io.EOF, 2},
		{"F" + addr(MaxAddress) + "\x00\x00", ErrTooLong, 0},
		{"Fa@b\x00T" + addr(MaxAddress) + "\x00\x00", ErrTooLong, 1},
		{"F" + addr(MaxAddress), ErrTooLong, 0},
	} {
		if records, err := read([]byte(c.in)); err != c.err || len(records) != c.want {
			t.Errorf("%.30q: %d records, %v", c.in, len(records), err)
		}
	}
}

// parameters reads what follows an envelope of two recipients.
func parameters(b []byte) (list []dsn.Record, err error) {
	r := NewReader(bufio.NewReader(io.MultiReader(strings.NewReader("F\x00Ta@b\x00Tc@d\x00\x00"), bytes.NewReader(b))))
	for err == nil {
		_, err = r.Next()
	}
	for err = nil; ; {
		p, err := r.Parameter()
		if err != nil {
			return list, err
		}
		list = append(list, p)
	}
}

func TestWhatFollowsAnEnvelopeIsInItsOrderAndBounded(t *testing.T) {
	for _, c := range []struct {
		in   string
		err  error
		want int
	}{
		{"", io.EOF, 0}, {"\x00", io.EOF, 0}, {"\x00x", io.EOF, 0},
		{"p;RET=HDRS\x00p;N=0;NOTIFY=NEVER\x00p;N=1;NOTIFY=DELAY\x00\x00", io.EOF, 3},
		{"p;N=1;NOTIFY=DELAY\x00\x00", io.EOF, 1},
		{"p;N=1;NOTIFY=DELAY\x00", io.ErrUnexpectedEOF, 1},
		{"p;N=1;NOT", io.ErrUnexpectedEOF, 0},
		{"p;N=2;NOTIFY=DELAY\x00\x00", ErrFormat, 0},
		{"p;N=1;NOTIFY=DELAY\x00p;N=0;NOTIFY=DELAY\x00\x00", ErrFormat, 1},
		{"p;N=1;NOTIFY=DELAY\x00p;N=1;NOTIFY=DELAY\x00\x00", ErrFormat, 1},
		{"p;N=1;NOTIFY=DELAY\x00p;RET=FULL\x00\x00", ErrFormat, 1},
		{"p;RET=FULL\x00p;RET=FULL\x00\x00", ErrFormat, 1},
		{"p;TO=a@b;NOTIFY=DELAY\x00\x00", ErrFormat, 0},
		{"p;NOTIFY=DELAY\x00\x00", ErrFormat, 0},
		{"p;N=0\x00\x00", ErrFormat, 0}, {"p\x00\x00", ErrFormat, 0}, {"Ta@b\x00\x00", ErrFormat, 0},
		{"p;ENVID=" + strings.Repeat("x", dsn.MaxRecord) + "\x00", ErrFormat, 0},
	} {
		if list, err := parameters([]byte(c.in)); err != c.err || len(list) != c.want {
			t.Errorf("%.40q: %d records, %v", c.in, len(list), err)
		}
	}
}

func TestEveryExitCodeButZeroIsAReport(t *testing.T) {
	for c := exit.Code(0); c < 256; c++ {
		r := Meaning(c)
		switch {
		case (r == nil) != (c == 0):
			t.Errorf("%d: %v", c, r)
		case r == nil:
		case (r.Kind == report.Failure) != (c >= 11 && c <= 40 || c == 115):
			t.Errorf("%d is %c", c, r.Kind)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("Fa@b\x00Tc@d\x00\x00"))
	f.Add([]byte("Fa@b\x00Tc@d\x00"))
	f.Add([]byte("F\x00\x00x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := read(b)
		if err != io.EOF {
			return
		}
		var sender string
		var recipients []string
		for i, r := range records {
			if s := string(r[1 : len(r)-1]); i == 0 {
				sender = s
			} else {
				recipients = append(recipients, s)
			}
		}
		if !bytes.HasPrefix(b, Append(nil, sender, recipients)) {
			t.Errorf("%q was read as %q, %q", b, sender, recipients)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte("p;RET=HDRS;ENVID=a+3Bb\x00p;N=0;NOTIFY=NEVER;ORCPT=rfc822+3Ba@b\x00\x00"))
	f.Add([]byte("p;N=1;NOTIFY=DELAY"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parameters(b)
		if err != io.EOF {
			return
		}
		var again []byte
		for _, r := range list {
			again = AppendParameter(again, r)
		}
		if len(again) > dsn.MaxRecords {
			return // a semicolon takes three bytes
		}
		if got, err := parameters(append(again, 0)); err != io.EOF || len(got) != len(list) || len(list) > 3 {
			t.Errorf("%q came back as %q: %v, %v", b, again, got, err)
		}
	})
}
