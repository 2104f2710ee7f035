package sendproto

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"qmail/internal/text/report"
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
	f.Add([]byte("\xffw300 127.0.0.1 Kok\x00"), false)
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
		same := again.Delnum == p.Delnum && again.Kind == p.Kind && again.Grouped == p.Grouped && again.Address == p.Address
		if err != nil || !same || !bytes.Equal(again.Text, p.Text) {
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

func FuzzGroup(f *testing.F) {
	f.Add([]byte("\xff+2/25\x00a@b\x000 3 c@d65535 0 7 1 x\x00"), false)
	f.Add([]byte("\xff*2/25\x00a@b\x0014 ;NOTIFY=DELAY0 3 c@d\x00"), false)
	f.Add([]byte("\xff\xff+2/25\x00\x007 00 \x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		w := width(wide)
		o, err := ReadOrder(bufio.NewReader(bytes.NewReader(b)), w)
		if err != nil || !o.IsGroup(w) {
			return
		}
		g, ok := o.Group()
		if len(g.Members) > MaxGroup {
			t.Errorf("%d members", len(g.Members))
		}
		size := 0
		for _, m := range g.Members {
			size += len(m.Recipient)
			if m.Delnum < 0 || m.Delnum >= MaxGrouped {
				t.Errorf("number %d", m.Delnum)
			}
		}
		if size > MaxGroupBytes && len(g.Members) > 1 {
			t.Errorf("%d bytes of addresses", size)
		}
		if ok && !bytes.HasPrefix(b, g.Append(nil, w)) {
			t.Errorf("%q was read as %+v", b, g)
		}
	})
}

func TestAGroupComesBackAsItWas(t *testing.T) {
	for n, w := range []Width{1, 2, 1, 2} {
		want := Group{"2/25", "sender@here", []Member{{0, "a@b"}, {MaxGrouped - 1, ""}, {300, "7 2 \xff\n@far"}}, ""}
		if n >= 2 {
			want.Asked = ";RET=HDRS;NOTIFY=DELAY"
		}
		r := bufio.NewReader(bytes.NewReader(want.Append(nil, w)))
		o, err := ReadOrder(r, w)
		if err != nil || !o.IsGroup(w) || o.IsQuestion(w) {
			t.Fatalf("%+v %v", o, err)
		}
		if g, ok := o.Group(); !ok || !reflect.DeepEqual(g, want) {
			t.Errorf("%+v", g)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Error("more than one order")
		}
	}
}

func TestAMalformedGroupIsNone(t *testing.T) {
	many := strings.Repeat("1 1 x", MaxGroup+1)
	long := "1 16000 " + strings.Repeat("x", 16000) + "2 16000 " + strings.Repeat("x", 16000)
	for _, c := range []struct {
		text    string
		members int
	}{
		{"", 0}, {"1", 0}, {"1 ", 0}, {"1 3 ab", 0}, {"01 1 x", 0}, {"65536 1 x", 0}, {"-1 1 x", 0}, {"1 1 x2", 1},
		{"1 1 x2 2 y", 1},
		{"123456 1 x", 0}, {" 1 x", 0}, {many, MaxGroup}, {long, 1},
		{"*0 1 1 x", 0}, {"*3 ;A", 0}, {"*2 ;A", 0}, {"*", 0}, {"*x 1 1 x", 0},
	} {
		mess := "+2/25"
		if rest, asks := strings.CutPrefix(c.text, "*"); asks {
			mess, c.text = "*2/25", rest
		}
		g, ok := Order{Delnum: Width(1).Reserved(), Mess: mess, Recipient: c.text}.Group()
		if ok || len(g.Members) != c.members {
			t.Errorf("%.20q: %d members, %v", c.text, len(g.Members), ok)
		}
	}
}

func TestOnlyTheAnswerIsTakenForIt(t *testing.T) {
	for _, w := range []Width{1, 2} {
		o, err := ReadOrder(bufio.NewReader(bytes.NewReader(AppendQuestion(nil, w))), w)
		if err != nil || !o.IsQuestion(w) || o.IsGroup(w) {
			t.Fatalf("%+v %v", o, err)
		}
		for asked, want := range map[int]int{50: 50, 0: 1, -3: 1, 1 << 20: MaxGroup} {
			p, err := ReadReply(bufio.NewReader(bytes.NewReader(Answer(asked, w).Append(nil, w))), w)
			if n, ok := p.Answer(w); err != nil || !ok || n != want {
				t.Errorf("%d: %d %v %v", asked, n, ok, err)
			}
		}
		for _, p := range []Reply{
			{Delnum: 1, Kind: report.Success, Text: []byte("wide 50")},
			{Delnum: w.Reserved(), Kind: report.Deferral, Text: []byte("wide 50")},
			{Delnum: w.Reserved(), Kind: report.Success, Text: []byte("wide 0")},
			{Delnum: w.Reserved(), Kind: report.Success, Text: []byte("wide 1001")},
			{Delnum: w.Reserved(), Kind: report.Success, Text: []byte("wide 50x")},
			{Delnum: w.Reserved(), Kind: report.Success, Text: []byte("ok")},
			{Delnum: w.Reserved(), Kind: report.Failure, Text: []byte("Internal error: messid has nonnumerics. (#5.3.5)\n")},
		} {
			if n, ok := p.Answer(w); ok {
				t.Errorf("%+v is an answer: %d", p, n)
			}
		}
	}
}

func TestTheReplyOfAGroupsMemberComesBackAsItWas(t *testing.T) {
	for _, w := range []Width{1, 2} {
		for _, want := range []Reply{
			{Delnum: 0, Kind: report.Success, Text: []byte("ok\n"), Grouped: true, Address: netip.MustParseAddr("192.0.2.1")},
			{Delnum: MaxGrouped - 1, Kind: report.Failure, Text: []byte{}, Grouped: true, Address: netip.MustParseAddr("::1")},
			{Delnum: 4711, Kind: report.Deferral, Text: []byte("4 2"), Grouped: true},
		} {
			p, err := ReadReply(bufio.NewReader(bytes.NewReader(want.Append(nil, w))), w)
			if err != nil || !reflect.DeepEqual(p, want) {
				t.Errorf("%+v came back as %+v, %v", want, p, err)
			}
		}
		for _, text := range []string{"", "1", "1 ", "1 Kx", "1  ", "65536  Kx", "1 x Kx", "-1  Kx", "01  Kx",
			"1 fe80::1%lo Kx"} {
			b := append(w.AppendNumber(nil, w.Reserved()), 'w')
			p, err := ReadReply(bufio.NewReader(bytes.NewReader(append(append(b, text...), 0))), w)
			if err != nil || p.Grouped || p.Delnum != w.Reserved() {
				t.Errorf("%q: %+v, %v", text, p, err)
			}
		}
	}
}
