package sendproto

import (
	"bufio"
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"qmail/internal/report"
)

func TestRequestsAreReadAsQmailCleanAlwaysDid(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Request
		ok   bool
	}{
		{"foop/7", Request{Foop, 7, 0}, true},
		{"todo/123456", Request{Todo, 123456, 0}, true},
		{"foop/007", Request{Foop, 7, 0}, true},
		{"foop/7x", Request{Foop, 7, 1}, true},
		{"foop/x", Request{Foop, 0, 1}, false},
		{"foop/../7", Request{Foop, 0, 3}, false},
		{"FOOP/7", Request{0, 7, 0}, false},
		{"todo/", Request{}, false},
		{"", Request{}, false},
		{"foop/99999999999999999999999", Request{}, false},
		{"foop/" + strings.Repeat("1", 100), Request{}, false},
	} {
		q, ok, err := ReadRequest(bufio.NewReader(strings.NewReader(c.in + "\x00")))
		if err != nil || ok != c.ok || ok && q != c.want || q.Junk != c.want.Junk {
			t.Errorf("%q: %+v, %v, %v", c.in, q, ok, err)
		}
	}
}

func TestALimitOver255TakesTwoBytes(t *testing.T) {
	for limit, width := range map[int]Width{1: 1, 255: 1, 256: 2, 65535: 2} {
		if w := WidthFor(limit); w != width {
			t.Errorf("%d: %d bytes", limit, w)
		}
		w := WidthFor(limit)
		n, err := w.ReadNumber(bytes.NewReader(w.AppendNumber(nil, limit)))
		if n != limit || err != nil {
			t.Errorf("%d came back as %d, %v", limit, n, err)
		}
	}
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte("\x012/25\x00a@b\x00c@d\x00"), false)
	f.Add([]byte("\x01\x022/25\x00\x00\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		w := width(wide)
		o, err := ReadOrder(bufio.NewReader(bytes.NewReader(b)), w)
		if err == nil && !bytes.HasPrefix(b, o.Append(nil, w)) {
			t.Errorf("%q was read as %+v", b, o)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("\x01Kok\x00"), false)
	f.Add([]byte("\x01\x00D\x00"), true)
	f.Add([]byte("\x01\x00"), false)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		w := width(wide)
		p, err := ReadReply(bufio.NewReader(bytes.NewReader(b)), w)
		if err != nil {
			return
		}
		if len(p.Text) > MaxReply {
			t.Errorf("%d bytes of text", len(p.Text))
		}
		if p.Kind == 0 {
			return // a mangled one; its text is none
		}
		again, err := ReadReply(bufio.NewReader(bytes.NewReader(p.Append(nil, w))), w)
		if err != nil || again.Delnum != p.Delnum || again.Kind != p.Kind || !bytes.Equal(again.Text, p.Text) {
			t.Errorf("%+v came back as %+v, %v", p, again, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{"foop/7\x00", "todo/18446744073709551615\x00", "foop/../7\x00", "x\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, ok, err := ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil && (err != io.EOF || ok) {
			t.Fatal(ok, err)
		}
		if !ok {
			return
		}
		q.Junk = 0
		again, ok, err := ReadRequest(bufio.NewReader(bytes.NewReader(q.Append(nil))))
		if !ok || err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%+v came back as %+v", q, again)
		}
	})
}

func TestAReplyTextEndsAtItsFirstNUL(t *testing.T) {
	p := Reply{Delnum: 3, Kind: report.Success, Text: []byte("a\x00b")}
	if b := p.Append(nil, 1); string(b) != "\x03Ka\x00" {
		t.Errorf("%q", b)
	}
}

func width(wide bool) Width {
	if wide {
		return 2
	}
	return 1
}
