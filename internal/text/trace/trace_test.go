package trace

import (
	"testing"
	"time"

	"qmail/internal/text/rfc822"
)

// received is what our server writes on top.
func received(p rfc822.Peer, protocol string) string {
	return string(rfc822.ReceivedFrom(p, protocol, time.Unix(1e9, 0)))
}

func TestWhatAServerSaysOfItsClientIsReadBack(t *testing.T) {
	for _, c := range []struct {
		peer     rfc822.Peer
		protocol string
		want     string
	}{
		{rfc822.Peer{RemoteHost: "a.test", RemoteInfo: "joe@b.test", RemoteIP: "192.0.2.1", LocalHost: "m.test",
			Helo: "x.test"}, "ESMTPSA (TLS1.3 x)", "192.0.2.1 a.test x.test joe@b.test m.test ESMTPSA known"},
		{rfc822.Peer{RemoteIP: "::ffff:192.0.2.1", LocalHost: "m.test", Helo: "unknown"}, "SMTP",
			"192.0.2.1  unknown  m.test SMTP strange"},
		{rfc822.Peer{LocalHost: "m.test"}, "UTF8SMTPA", "invalid IP  unknown  m.test UTF8SMTPA known"},
		{rfc822.Peer{LocalHost: "m.test"}, "UTF8SMTP", "invalid IP  unknown  m.test UTF8SMTP strange"},
		{rfc822.Peer{LocalHost: "m.test"}, "SMTP (relay client)", "invalid IP  unknown  m.test SMTP known"},
	} {
		field := received(c.peer, c.protocol)
		r, ok := Parse([]byte(field))
		known := "strange"
		if r.Known {
			known = "known"
		}
		got := r.IP.String() + " " + r.Host + " " + r.Helo + " " + r.User + " " + r.By + " " + r.Proto + " " + known
		if !ok || got != c.want {
			t.Errorf("%q is %v %q", field, ok, got)
		}
	}
}

func TestOurFieldIsFoundBelowWhatOurFiltersWriteOnly(t *testing.T) {
	ours := received(rfc822.Peer{RemoteIP: "192.0.2.1"}, "SMTP")
	for before, want := range map[string]bool{
		"": true, "Authentication-Results: x;\n y\nReceived-SPF: pass\nX-Spam-Flag: YES\n": true,
		"From: x\n": false, "Received: from elsewhere\n": false, "\n": false,
	} {
		_, from, to, ok := Find([]byte(before + ours + "From: x\n\n"))
		if ok != want || ok && (from != len(before) || to != len(before)+len(ours)) {
			t.Errorf("%q: %v, %d to %d", before, ok, from, to)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("Authentication-Results: x\n" + received(rfc822.Peer{RemoteIP: "192.0.2.1"}, "SMTP") + "\n")
	f.Fuzz(func(t *testing.T, head string) {
		if _, from, to, ok := Find([]byte(head)); ok && (from >= to || to > len(head)) {
			t.Errorf("%q: %d to %d", head, from, to)
		}
	})
}
