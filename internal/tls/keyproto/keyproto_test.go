package keyproto

import (
	"bytes"
	"crypto"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNamesNeverLeaveTheirFolder(t *testing.T) {
	for _, s := range []string{
		"", ".", "..", ".pem", "../x", "a/b", "A.test", "a\x00b", "a b", "a_b", "ä", strings.Repeat("a", MaxName+1), "a\n",
	} {
		if ValidName(s) {
			t.Errorf("%q is a name", s)
		}
	}
	for _, s := range []string{"a", "mail.example.org", "xn--4ca", "1-2.3", "a.", strings.Repeat("a", MaxName)} {
		if !ValidName(s) {
			t.Errorf("%q is no name", s)
		}
	}
}

func requests() []Request {
	return []Request{
		{Op: Chain, Kind: Server},
		{Op: Chain, Kind: Client, Name: "mail.test"},
		{Op: Chain, Kind: DKIM, Name: DKIMName("a.test", "s")},
		{Op: Sign, Kind: Server, Name: "a", Key: [IDSize]byte{1, 31: 2}, Hash: crypto.SHA256, PSS: true,
			Message: []byte("\x00")},
		{Op: Sign, Kind: DKIM, Name: "a.test/s", Message: bytes.Repeat([]byte("x"), MaxMessage)},
	}
}

func TestARequestTravelsUnchanged(t *testing.T) {
	for _, r := range requests() {
		b, ok := r.Append(nil)
		got, err := ParseRequest(b)
		if !ok || err != nil || len(b) > MaxRequest || !same(r, got) {
			t.Errorf("%+v: %+v, %v, %v", r, got, ok, err)
		}
	}
}

func same(a, b Request) bool {
	message := bytes.Equal(a.Message, b.Message)
	a.Message, b.Message = nil, nil
	return message && reflect.DeepEqual(a, b)
}

func TestARequestThatIsNotAllRightIsNeverSentNorRead(t *testing.T) {
	for _, r := range []Request{
		{}, {Op: Chain}, {Op: Chain, Kind: 'x'}, {Op: 'x', Kind: Server}, {Op: Chain, Kind: Server, Name: "../x"},
		{Op: Chain, Kind: DKIM, Name: "a.test"}, {Op: Chain, Kind: DKIM, Name: "a.test/s/t"}, {Op: Chain, Kind: DKIM},
		{Op: Chain, Kind: DKIM, Name: "a.test/../s"}, {Op: Chain, Kind: Server, PSS: true},
		{Op: Sign, Kind: Server}, {Op: Sign, Kind: Server, Message: make([]byte, MaxMessage+1)}, {Op: Admit, Kind: Server},
	} {
		if _, ok := r.Append(nil); ok {
			t.Errorf("%+v was encoded", r)
		}
	}
	for _, b := range []string{"", "c", "cs", "csa", "csA\x00", "csa\x00x", "ssa\x00", "cx\x00", "as\x00",
		"ssa\x00" + strings.Repeat("k", IDSize) + "\x05\x02m", "ssa\x00" + strings.Repeat("k", IDSize) + "\x05\x01"} {
		if r, err := ParseRequest([]byte(b)); err == nil {
			t.Errorf("%q: %+v", b, r)
		}
	}
}

func answers() []Answer {
	return []Answer{
		{Status: Done}, {Status: Done, Parts: [][]byte{[]byte("control/tlscerts/a"), {}, []byte("der")}},
		{Status: None, Reason: "no key"}, {Status: Refused}, {Status: Trouble, Reason: "x"},
	}
}

func TestAnAnswerTravelsUnchanged(t *testing.T) {
	for _, a := range answers() {
		b, ok := a.Append(nil)
		got, err := ParseAnswer(b)
		if !ok || err != nil || !alike(a, got) {
			t.Errorf("%+v: %+v, %v, %v", a, got, ok, err)
		}
	}
	if _, ok := (Answer{Status: Done, Parts: [][]byte{make([]byte, MaxAnswer)}}).Append(nil); ok {
		t.Error("an answer over its bound was encoded")
	}
}

func alike(a, b Answer) bool {
	return a.Status == b.Status && a.Reason == b.Reason && slices.EqualFunc(a.Parts, b.Parts, bytes.Equal)
}

func FuzzRequest(f *testing.F) {
	for _, r := range requests() {
		b, _ := r.Append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, ok := r.Append(nil)
		if !ok || !bytes.Equal(again, b) {
			t.Errorf("%q is %+v, which is %q", b, r, again)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, a := range answers() {
		b, _ := a.Append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAnswer(b)
		if err != nil {
			return
		}
		again, ok := a.Append(nil)
		got, err := ParseAnswer(again)
		if ok && (err != nil || !alike(a, got)) {
			t.Errorf("%q is %+v, then %+v, %v", b, a, got, err)
		}
	})
}
