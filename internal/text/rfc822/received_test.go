package rfc822

import (
	"testing"
	"time"
)

var when = time.Date(2001, 1, 2, 3, 4, 5, 0, time.FixedZone("", 5*3600))

func TestDatesAreInGMTWithoutAWeekday(t *testing.T) {
	if got := string(AppendDate(nil, when)); got != "1 Jan 2001 22:04:05 -0000" {
		t.Error(got)
	}
}

func TestTheReceivedLineOfTheQueueNamesItsInvoker(t *testing.T) {
	got := string(ReceivedByQueue(77, "by uid 1000", when))
	if got != "Received: (qmail 77 invoked by uid 1000); 1 Jan 2001 22:04:05 -0000\n" {
		t.Error(got)
	}
}

func TestTheReceivedLineOfAServerHoldsNoByteThatAClientCouldAbuse(t *testing.T) {
	for _, c := range []struct {
		p    Peer
		want string
	}{
		{Peer{}, "Received: from unknown (unknown)\n  by unknown with SMTP; "},
		{Peer{"h.test", "", "1.2.3.4", "l.test", "H.TEST", true}, "Received: from h.test (1.2.3.4)\n  by l.test with SMTP; "},
		{Peer{"h.test", "joe", "1.2.3.4", "l.test", "x", true},
			"Received: from h.test (HELO x) (joe@1.2.3.4)\n  by l.test with SMTP; "},
		{Peer{"h.test", "", "1.2.3.4", "l.test", "", true},
			"Received: from h.test (HELO ) (1.2.3.4)\n  by l.test with SMTP; "},
		{Peer{"", "a(b\n", "::1", "l", "x) \r\ny\xff", false},
			"Received: from unknown (HELO x????y?) (a?b?@::1)\n  by l with SMTP; "},
	} {
		if got := string(ReceivedFrom(c.p, "SMTP", when)); got != c.want+"1 Jan 2001 22:04:05 -0000\n" {
			t.Errorf("%+v: %q", c.p, got)
		}
	}
}

func TestAnAddressIsQuotedOnlyWhereItMustBe(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""}, {"joe", "joe"}, {"joe@host", "joe@host"}, {"a.b@host", "a.b@host"}, {"a b@host", `"a b"@host`},
		{"@host", `""@host`}, {".a@host", `".a"@host`}, {"a..b@h", `"a..b"@h`}, {"a.@h", `"a."@h`}, {"a@b@c", `"a@b"@c`},
		{"a\"b\\c@h", `"a\"b\\c"@h`}, {"j\xf6@h", "\"j\xf6\"@h"}, {"a\nb@h", "\"a\\\nb\"@h"}, {"a(b", `"a(b"`},
		{"rp@rp.test-@[]", `"rp@rp.test-"@[]`},
	} {
		if got := Quote(c[0]); got != c[1] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}
