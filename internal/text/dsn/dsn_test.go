package dsn

import (
	"reflect"
	"strings"
	"testing"
)

func TestNotifyIsReadAsRFC3461SaysAndComesBack(t *testing.T) {
	for s, want := range map[string]string{
		"NEVER": "NEVER", "success": "SUCCESS", "Delay,SUCCESS,failure": "SUCCESS,FAILURE,DELAY",
	} {
		if n, ok := ParseNotify(s); !ok || n.String() != want {
			t.Errorf("%q: %v %v", s, n, ok)
		}
	}
	for _, s := range []string{
		"", ",", "NEVER,SUCCESS", "SUCCESS,", "SUCCESS,SUCCESS", "SUCCESS FAILURE", "ſuccess", "all",
	} {
		if n, ok := ParseNotify(s); ok {
			t.Errorf("%q: %v", s, n)
		}
	}
}

func TestOnlyStrictXtextIsTaken(t *testing.T) {
	for _, s := range []string{"a", "QQ314159", "a+2Bb", "+E2+80+A6", strings.Repeat("x", MaxEnvID)} {
		if !IsEnvID(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{
		"", "a b", "a=b", "+", "+2", "+2b", "+G0", "a\x7f", "a\xe9", "a\n", "a+0A", "+00", "+7F",
		strings.Repeat("x", MaxEnvID+1),
	} {
		if IsEnvID(s) {
			t.Errorf("%q is taken", s)
		}
	}
	for s, want := range map[string]bool{
		"rfc822;a@b": true, "RFC822;a+2Bx@b": true, "utf-8;+C3+BC@b": true, "rfc822;": false, ";a@b": false, "a@b": false,
		"rfc 822;a@b": false, "rfc822;a+0D+0Ab": false, "rfc822;" + strings.Repeat("x", MaxOrcpt): false,
	} {
		if IsOrcpt(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestADamagedFieldLeavesTheOthers(t *testing.T) {
	r, ok := ParseRecord("1234;N=7;NOTIFY=NEVER;ORCPT=nonsense;X=1;=;RET=FULL;;")
	if !ok || r.N != 7 || r.Notify != Never || r.Orcpt != "" || r.Message != (Message{}) {
		t.Errorf("%+v %v", r, ok)
	}
	for _, s := range []string{
		"", "1234", ";N=99999999999;", ";TO=a@b", ";N=1;NOTIFY=MAYBE", ";RET=", strings.Repeat(";RET=HDRS", 1000),
	} {
		if r, ok := ParseRecord(s); ok {
			t.Errorf("%.30q: %+v", s, r)
		}
	}
}

func TestASetHasTheFirstThatIsSaidOfARecipient(t *testing.T) {
	var s *Set
	if s.To("a@b") != (Recipient{}) || s.Delivery("a@b") != "" {
		t.Error("nothing is something")
	}
	for _, record := range []string{
		";RET=HDRS;ENVID=e", ";TO=a@b;NOTIFY=NEVER", ";TO=a@b;NOTIFY=DELAY", ";TO=c+2Bd@b;ORCPT=rfc822+3Bx@y",
	} {
		r, ok := ParseRecord(record)
		if !ok {
			t.Fatal(record)
		}
		s = s.Add(r)
	}
	for addr, want := range map[string]string{
		"a@b":   ";RET=HDRS;ENVID=e;NOTIFY=NEVER",
		"c+d@b": ";RET=HDRS;ENVID=e;ORCPT=rfc822+3Bx@y",
		"z@b":   ";RET=HDRS;ENVID=e",
	} {
		if got := s.Delivery(addr); got != want {
			t.Errorf("%s: %q", addr, got)
		}
		r, ok := ParseRecord(want)
		if !ok || r.Message != s.Message || r.Recipient != s.To(addr) {
			t.Errorf("%s: %+v", addr, r)
		}
	}
	for range 1000 {
		s = s.Add(Record{N: -1, To: strings.Repeat("x", 1000) + s.EnvID, Recipient: Recipient{Notify: Never}})
	}
	if s.Add(Record{N: -1, To: "late@b", Recipient: Recipient{Notify: Never}}).To("late@b") != (Recipient{}) {
		t.Error("a Set has no bound")
	}
}

func FuzzXtext(f *testing.F) {
	f.Add("a+b=c\x00\xff")
	f.Add("+2B")
	f.Fuzz(func(t *testing.T, s string) {
		x := Xtext(s)
		if s != "" && !isXtext(x) || Text(x) != s {
			t.Errorf("%q became %q and %q", s, x, Text(x))
		}
		Text(s)
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("1234;RET=HDRS;ENVID=a+3Bb;NOTIFY=DELAY")
	f.Add(";N=3;NOTIFY=SUCCESS,DELAY;ORCPT=rfc822+3Ba+3Bb@c")
	f.Add(";TO=x+2By@z;NOTIFY=NEVER")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := ParseRecord(s)
		if !ok {
			return
		}
		b := string(r.Append(nil))
		again, ok := ParseRecord(b)
		if strings.ContainsAny(b, "\x00\n") || len(b) > MaxRecord && r.To == "" {
			t.Errorf("%q became %q", s, b)
		}
		// A semicolon inside a value comes back in xtext, which means the same.
		plain := func(r Record) Record {
			r.EnvID, r.Orcpt = Text(r.EnvID), Text(r.Orcpt)
			return r
		}
		if len(b) <= MaxRecord && (!ok || !reflect.DeepEqual(plain(again), plain(r))) {
			t.Errorf("%q: %+v became %+v", s, r, again)
		}
	})
}
