package remote

import (
	"strings"
	"testing"
	"unicode/utf8"

	"qmail/internal/text/ascii"
)

const knowing = "250-SMTPUTF8\r\n250-8BITMIME\r\n"

func TestAnInternationalAddressGoesWithSMTPUTF8OrFails(t *testing.T) {
	for _, c := range []struct{ offers, sender, recipient, mail, rcpt string }{
		{knowing, "jörg@b.test", "c@far.test", "<jörg@b.test> SMTPUTF8", "<c@far.test>"},
		{knowing, "a@b.test", "jörg@far.test", "<a@b.test> SMTPUTF8", "<jörg@far.test>"},
		{knowing, "a@b.test", "c@bücher.test", "<a@b.test> SMTPUTF8", "<c@bücher.test>"},
		{knowing, "", "j örg@far.test", "<> SMTPUTF8", `<"j örg"@far.test>`},
		{knowing, "a@b.test", "c@far.test", "<a@b.test>", "<c@far.test>"},
		{"", "a@bücher.test", "c@bücher.test", "<a@xn--bcher-kva.test>", "<c@xn--bcher-kva.test>"},
		{"", "jörg@b.test", "c@far.test", "", ""},
		{"", "", "jörg@far.test", "", ""},
		{"", "", "jörg@bücher.test", "", ""},
		{knowing, "", "j\xf6rg@far.test", "", ""},
		{knowing, "", "a\u0085b@far.test", "", ""},
		{knowing, "\xc0\x80@b.test", "c@far.test", "", ""},
	} {
		for _, more := range []string{"", "250-PIPELINING\r\n"} {
			s := serve(t, smtp(c.offers+more, nil))
			g := newRig(t, s)
			g.control("extensions", "SMTPUTF8\n")
			g.dns.addrs["xn--bcher-kva.test"] = []string{"10.0.0.1"}
			got := g.send("Subject: ü\n\n", c.recipient[strings.LastIndexByte(c.recipient, '@')+1:], c.sender, c.recipient)
			wire := strings.Join(s.wires(), "")
			if c.mail == "" {
				if got[0] != 'D' || !strings.Contains(got, "10.0.0.1 does not take") || !strings.Contains(got, "(#5.6.7)") ||
					strings.Contains(wire, "MAIL") {
					t.Errorf("%+v: %q %q", c, got, wire)
				}
				continue
			}
			eight := ""
			if c.offers != "" {
				eight = " BODY=8BITMIME"
			}
			if got != accepted || !strings.Contains(wire, "MAIL FROM:"+c.mail+eight+"\r\n") ||
				!strings.Contains(wire, "RCPT TO:"+c.rcpt+"\r\n") {
				t.Errorf("%+v: %q %q", c, got, wire)
			}
		}
	}
}

func TestOthersOfAMessageGetItWhereOneAddressCannotBeSaid(t *testing.T) {
	h := &host{fault: func(exchange) string { return "" }}
	g := newRig(t, serve(t, h.serve))
	g.control("extensions", "smtputf8\n")
	got := g.send(testMessage, "far.test", "", "a@far.test", "b@far.test", "ü@far.test", "c@far.test")
	if all := strings.Join(h.messages(), " "); all != "ab c" || !strings.HasPrefix(got, "r|r|h10.0.0.1 does not take") ||
		!strings.Contains(got, "|r|K") {
		t.Errorf("%q %q", all, got)
	}
}

func TestWithoutTheWordAnAddressIsSentAsTheBytesThatItIs(t *testing.T) {
	s := serve(t, smtp(knowing, nil))
	g := newRig(t, s)
	got := g.send(testMessage, "far.test", "j\xf6@b.test", "ü@far.test")
	wire := strings.Join(s.wires(), "")
	if got != accepted || !strings.Contains(wire, "MAIL FROM:<\"j\xf6\"@b.test>\r\n") ||
		!strings.Contains(wire, "RCPT TO:<\"ü\"@far.test>\r\n") {
		t.Errorf("%q %q", got, wire)
	}
}

func TestAHostThatWasNotAskedForSMTPUTF8MayKnowIt(t *testing.T) {
	s := serve(t, func(p peer) { // it hangs up on EHLO
		p.send("220 x\r\n")
		if strings.HasPrefix(p.line(), "HELO") {
			p.send("250 x\r\n")
			p.line()
		}
	})
	g := newRig(t, s)
	g.control("extensions", "smtputf8\n")
	if got := g.send(testMessage, "far.test", "", "ü@far.test"); got[0] != 'Z' || !strings.Contains(got, "(#4.6.7)") {
		t.Errorf("%q", got)
	}
}

func TestADomainThatIsNoneIsAskedForNowhere(t *testing.T) {
	for _, host := range []string{"\u0085.test", "\xfc.test", "a@ü.test", "ü\u202e.test", strings.Repeat("ü", 300)} {
		g := newRig(t, nil)
		g.control("extensions", "smtputf8\n")
		if got := g.send(testMessage, host, "", "a@"+host); got[0] != 'D' || !strings.Contains(got, "5.1.2") || g.asked > 0 {
			t.Errorf("%q: %q", host, got)
		}
	}
}

func TestTheLimitsThatAHostTellsAreKept(t *testing.T) {
	for _, c := range []struct {
		limits, want          string
		messages, connections int
	}{
		{"RCPTMAX=2 MAILMAX=2", "ab cd e ab cd e", 2, 3}, {"rcptmax=3 NEW=7", "abc de abc de", 2, 1},
		{"RCPTMAX=0 MAILMAX=x RCPTMAX=-1 RCPTMAX=03 MAILMAX=9999999", "abcde abcde", 2, 1},
		{"MAILMAX=1", "abcde abcde", 2, 2},
	} {
		h := &host{}
		n := 0
		h.fault = func(x exchange) string {
			if x.verb == "EHLO" {
				n++
				return "250-fake\n250-PIPELINING\n250 LIMITS " + c.limits
			}
			return ""
		}
		g := keeping(t, serve(t, h.serve))
		var all []string
		for range c.messages {
			if got := g.send(testMessage, letters("abcde")...); !strings.HasPrefix(got, "r|r|r|r|r|K") {
				t.Errorf("%s: %q", c.limits, got)
			}
			all = append(all, h.messages()...)
		}
		g.Rest()
		if got := strings.Join(all, " "); got != c.want || n != c.connections {
			t.Errorf("%s: %q on %d connections", c.limits, got, n)
		}
	}
}

func FuzzSpoken(f *testing.F) {
	f.Add("jörg@bücher.test", true)
	f.Add("a@例え.テスト", false)
	f.Add("a\"b ü@x", true)
	f.Add("\xc0\x80@x", false)
	j := &job{international: true}
	f.Fuzz(func(t *testing.T, addr string, international bool) {
		text, ok := j.spoken(addr, international)
		if !ok || !sendable(addr) {
			return
		}
		if !ascii.IsASCII(addr) && ascii.HasControl(text) || !utf8.ValidString(text) ||
			!international && !ascii.IsASCII(text) {
			t.Errorf("%q becomes %q", addr, text)
		}
	})
}

func FuzzLimits(f *testing.F) {
	f.Add("RCPTMAX=100 MAILMAX=5 RCPTDOMAINMAX=1")
	f.Fuzz(func(t *testing.T, arg string) {
		s := &session{}
		if s.limits(arg); s.rcptMax < 0 || s.rcptMax > 999999 || s.mailMax < 0 || s.mailMax > 999999 {
			t.Errorf("%q: %d, %d", arg, s.rcptMax, s.mailMax)
		}
	})
}
