package remote

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/dns"
)

func TestDialogueIsOneFlightWhereTheServerOffersIt(t *testing.T) {
	for offers, want := range map[string]string{
		"": "EHLO me.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@far.test>\r\nDATA\r\nSubject: x\r\n\r\n" +
			"hello\r\n.\r\nQUIT\r\n",
		pipelining: "EHLO me.test\r\nMAIL FROM:<a@b.test> SIZE=21\r\nRCPT TO:<c@far.test>\r\nDATA\r\nSubject: x\r\n" +
			"\r\nhello\r\n.\r\nQUIT\r\n",
	} {
		s := serve(t, smtp(offers, nil))
		g := newRig(t, s)
		if got := g.usual(); got != accepted {
			t.Errorf("%q", got)
		}
		if got := s.wires(); got[0] != want {
			t.Errorf("%q", got)
		}
		if a := g.Address(); a.String() != "10.0.0.1" {
			t.Errorf("it went to %v", a)
		}
	}
}

func TestPipelinedCommandsArriveTogether(t *testing.T) {
	s := serve(t, func(p peer) {
		p.send("220 x\r\n")
		p.line()
		p.send("250-x\r\n250 pipelining\r\n")
		for range 4 { // none is answered before the last has come
			p.line()
		}
		p.send("250 1\r\n250 2\r\n550 3\r\n354 4\r\n")
		p.data()
		p.send("250 taken\r\n")
	}, smtp(pipelining, map[string]string{"RCPT": "550 3\r\n"}))
	got := newRig(t, s).send(testMessage, "far.test", "", "c@far.test", "d@far.test")
	if got != "r|h10.0.0.1 does not like recipient.\nRemote host said: 550 3\n|K10.0.0.1 accepted message.\n"+
		"Remote host said: 250 taken\n|" {
		t.Errorf("%q", got)
	}
}

// Nothing that is told in the table is due to what we do beyond HELO in lockstep, so the tries without it change
// nothing.
func TestEveryReplyAtEveryStageIsReportedAlikeWithAndWithoutPipelining(t *testing.T) {
	const ip = "10.0.0.1"
	died := "ZConnected to 10.0.0.1 but connection died. (#4.4.2)\n|"
	for _, c := range []struct{ verb, reply, want string }{
		{"", "550-a\r\n550 b\r\n",
			"ZConnected to " + ip + " but my name was rejected.\nRemote host said: 550-a\n550 b\n|"},
		{"", "close", died},
		{"MAIL", "451 later\r\n", "ZConnected to " + ip + " but sender was rejected.\nRemote host said: 451 later\n|"},
		{"MAIL", "550 no\r\n", "DConnected to " + ip + " but sender was rejected.\nRemote host said: 550 no\n|"},
		{"MAIL", "close", died},
		{"RCPT", "450 later\r\n",
			"s" + ip + " does not like recipient.\nRemote host said: 450 later\n|DGiving up on " + ip + ".\n|"},
		{"RCPT", "550 no\r\n",
			"h" + ip + " does not like recipient.\nRemote host said: 550 no\n|DGiving up on " + ip + ".\n|"},
		{"RCPT", "421 bye\r\n",
			"s" + ip + " does not like recipient.\nRemote host said: 421 bye\n|DGiving up on " + ip + ".\n|"},
		{"RCPT", "close", died},
		{"DATA", "451 later\r\n", "r|Z" + ip + " failed on DATA command.\nRemote host said: 451 later\n|"},
		{"DATA", "554 no\r\n", "r|D" + ip + " failed on DATA command.\nRemote host said: 554 no\n|"},
		{"DATA", "close", "r|" + died},
		{".", "451 later\r\n", "r|Z" + ip + " failed after I sent the message.\nRemote host said: 451 later\n|"},
		{".", "554 no\r\n", "r|D" + ip + " failed after I sent the message.\nRemote host said: 554 no\n|"},
		{".", "250 \x00\xff\r\n", "r|K" + ip + " accepted message.\nRemote host said: 250 ?\xff\n|"},
		{".", "close", "r|ZConnected to 10.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n|"},
	} {
		for _, offers := range []string{"", pipelining} {
			g := newRig(t, serve(t, smtp(offers, map[string]string{c.verb: c.reply})))
			if got := g.usual(); got != c.want {
				t.Errorf("%s answered with %q (%q): %q; want %q", c.verb, c.reply, offers, got, c.want)
			}
		}
	}
}

func TestAnEmptyMessageGoesToAServerThatWantsDataForNobody(t *testing.T) {
	refuse := map[string]string{"RCPT": "550 no\r\n"}
	s := serve(t, smtp(pipelining, refuse), smtp("", refuse))
	newRig(t, s).usual()
	if got := s.wires(); !strings.HasSuffix(got[0], "DATA\r\n.\r\nQUIT\r\n") || len(got) != 2 {
		t.Errorf("%q", got)
	}
	refuse["DATA"] = "503 no\r\n"
	s = serve(t, smtp(pipelining, refuse))
	newRig(t, s).usual()
	if got := s.wires()[0]; !strings.HasSuffix(got, "DATA\r\nQUIT\r\n") {
		t.Errorf("%q", got)
	}
}

func TestAddressesAreQuotedAndNeverBecomeCommands(t *testing.T) {
	s := serve(t, smtp("", nil))
	g := newRig(t, s)
	got := g.send(testMessage, "far.test", "#@[]", "x y@far.test", "a\nRSET\n@far.test", "a@b@far.test")
	if !strings.HasPrefix(got, "r|hSorry, a line end inside an address cannot be sent by SMTP. (#5.1.3)\n|r|K") {
		t.Errorf("%q", got)
	}
	w := s.wires()[0]
	if !strings.Contains(w,
		"MAIL FROM:<#@[]>\r\nRCPT TO:<\"x y\"@far.test>\r\nRCPT TO:<\"a@b\"@far.test>\r\nDATA\r\n") {
		t.Errorf("%q", w)
	}
	if got := g.send(testMessage, "far.test", "a\r\nRSET", "c@far.test"); got[0] != 'D' {
		t.Errorf("%q", got)
	}
}

func TestMessageWithoutItsLastLineEndFails(t *testing.T) {
	s := serve(t, smtp("", nil))
	got := newRig(t, s).send("x\n.", "far.test", "", "c@far.test")
	if got != "r|DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n|" {
		t.Errorf("%q", got)
	}
	if w := s.wires()[0]; !strings.HasSuffix(w, "DATA\r\n") {
		t.Errorf("%q", w)
	}
}

func TestServerIsToldOfSizeAndEightBits(t *testing.T) {
	long := strings.Repeat("a line of text\n.\r\nxx\ry\n", 5000)
	wire := 5000 * (16 + 3 + 4 + 3)
	for msg, want := range map[string]string{
		"":                "SIZE=0>",
		"a\r\nb\rc\n":     "SIZE=9>",
		"\xff\n":          "SIZE=3 BODY=8BITMIME>",
		long:              fmt.Sprintf("SIZE=%d>", wire),
		long + "\x80\r\n": fmt.Sprintf("SIZE=%d BODY=8BITMIME>", wire+3),
	} {
		s := serve(t, smtp(pipelining, nil))
		if got := newRig(t, s).send(msg, "far.test", "", "c@far.test"); got != accepted {
			t.Errorf("%q", got)
		}
		if w := strings.ReplaceAll(strings.Split(s.wires()[0], "\r\n")[1], "<> ", "") + ">"; w != "MAIL FROM:"+want {
			t.Errorf("%q; want %q", w, want)
		}
	}
}

func TestMessageThatCannotBeReadIsDeferred(t *testing.T) {
	g := newRig(t, serve(t, smtp("", nil)))
	for _, r := range []io.Reader{broken{}, io.MultiReader(strings.NewReader(strings.Repeat("x\n", 100000)), broken{})} {
		var out strings.Builder
		g.Deliver([]string{"far.test", "", "c@far.test"}, r, &out)
		if !strings.HasSuffix(out.String(), "ZUnable to read message. (#4.3.0)\n\x00") {
			t.Errorf("%q", out.String())
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReportThatCannotBeWrittenIsADeferral(t *testing.T) {
	g := newRig(t, serve(t, smtp("", nil)))
	if code := g.Deliver([]string{"far.test", "", "c@far.test"}, strings.NewReader(testMessage), failing{}); code != 111 {
		t.Error(code)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestControlFilesAreReadForEachDelivery(t *testing.T) {
	s := serve(t, smtp("", nil))
	g := newRig(t, s)
	g.usual()
	g.control("helohost", "other.test\n")
	g.control("smtproutes", ".test:[10.0.0.7]:2525\n")
	g.hosts["10.0.0.7:2525"] = s
	if got := g.usual(); !strings.Contains(got, "K10.0.0.7 accepted") {
		t.Errorf("%q", got)
	}
	if w := s.wires()[1]; !strings.HasPrefix(w, "EHLO other.test\r\n") {
		t.Errorf("%q", w)
	}
}

func TestWrongUseIsSaid(t *testing.T) {
	g := newRig(t, nil)
	if got := g.send("", "far.test", "a@b.test"); got != "DI (qmail-remote) was invoked improperly. (#5.3.5)\n|" {
		t.Errorf("%q", got)
	}
	g.Control = "/nonexistent"
	if got := g.usual(); got != "ZUnable to read control files. (#4.3.0)\n|" {
		t.Errorf("%q", got)
	}
}

func TestDNSDecidesWhereAMessageGoes(t *testing.T) {
	const (
		lookup = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"
		noConn = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|"
		noMX   = "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n|"
		loops  = "DSorry. Although I'm listed as a best-preference MX or A for that host,\n" +
			"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n|"
	)
	noHost := func(h string) string { return "DSorry, I couldn't find any host named " + h + ". (#5.1.2)\n|" }
	for _, c := range []struct {
		name, host string
		mx         []dns.MX // nil: not found
		addrs      map[string][]string
		route      string
		tried      []string
		want       string
	}{
		{"MX fails softly", "x.test", []dns.MX{}, nil, "", nil, lookup},
		{"no MX, own address", "x.test", nil, map[string][]string{"x.test": {"10.1.1.1"}}, "", []string{"10.1.1.1:25"},
			noConn},
		{"no MX, no address", "x.test", nil, nil, "", nil, noHost("x.test")},
		{"no MX, address fails softly", "x.test", nil, map[string][]string{"x.test": {}}, "", nil, lookup},
		{"no MX host has an address", "x.test", mxs("1 a 2 b"), nil, "", nil, noMX},
		{"one MX host fails softly", "x.test", mxs("1 a 2 b"), map[string][]string{"b": {}}, "", nil, lookup},
		{"one MX host has an address", "x.test", mxs("1 a 2 b"), map[string][]string{"a": {},
			"b": {"10.1.1.2", "2001:db8::2"}}, "", []string{"10.1.1.2:25", "[2001:db8::2]:25"}, noConn},
		{"best first", "x.test", mxs("20 b 10 a"), map[string][]string{"a": {"10.1.1.1"}, "b": {"10.1.1.2"}}, "",
			[]string{"10.1.1.1:25", "10.1.1.2:25"}, noConn},
		{"we are in the middle", "x.test", mxs("20 b 10 a 20 me 30 c"), map[string][]string{"a": {"10.1.1.1"},
			"b": {"10.1.1.2"}, "c": {"10.1.1.3"}, "me": {"10.9.9.9"}}, "", []string{"10.1.1.1:25"}, noConn},
		{"we are best", "x.test", mxs("10 b 10 me"), map[string][]string{"b": {"10.1.1.2"}, "me": {"10.9.9.9"}}, "",
			nil, loops},
		{"we are the host", "x.test", nil, map[string][]string{"x.test": {"10.9.9.9"}}, "", nil, loops},
		{"null MX", "x.test", mxs("0 ."), map[string][]string{"x.test": {"10.1.1.1"}}, "", nil,
			"DSorry, the domain x.test takes no mail: its MX is null. (#5.1.10)\n|"},
		{"literal", "[10.1.1.1]", mxs("1 a"), nil, "", []string{"10.1.1.1:25"}, noConn},
		{"IPv6 literal", "[IPv6:2001:db8::9]", nil, nil, "", []string{"[2001:db8::9]:25"}, noConn},
		{"our literal", "[127.0.0.1]", nil, nil, "", nil, loops},
		{"bare address", "10.1.1.1", nil, nil, "", []string{"10.1.1.1:25"}, noConn},
		{"relay", "x.test", mxs("1 a"), map[string][]string{"relay": {"10.1.1.1"}}, "x.test:relay",
			[]string{"10.1.1.1:25"}, noConn},
		{"relay with port", "x.test", nil, map[string][]string{"relay": {"10.1.1.1"}}, "x.test:relay:26",
			[]string{"10.1.1.1:26"}, noConn},
		{"relay has no MX lookup", "x.test", nil, nil, "x.test:relay", nil, noHost("relay")},
		{"relay fails softly", "x.test", nil, map[string][]string{"relay": {}}, "x.test:relay", nil, lookup},
		{"relay that is us", "x.test", nil, nil, "x.test:[127.0.0.1]:26", []string{"127.0.0.1:26"}, noConn},
		{"bare relay", "x.test", nil, nil, "x.test:10.1.1.1", []string{"10.1.1.1:25"}, noConn},
		{"IPv6 relay", "x.test", nil, nil, "x.test:[2001:db8::9]:26", []string{"[2001:db8::9]:26"}, noConn},
		{"IPv6 relay without port", "x.test", nil, nil, "x.test:[2001:db8::9]", []string{"[2001:db8::9]:25"}, noConn},
		{"bad port", "x.test", nil, nil, "x.test:10.1.1.1:zz", nil, noConn},
		{"port out of range", "x.test", nil, nil, "x.test:10.1.1.1:65561", nil, noConn},
		{"empty relay means MX", "x.test", mxs("1 a"), map[string][]string{"a": {"10.1.1.1"}}, "x.test:\n:relay",
			[]string{"10.1.1.1:25"}, noConn},
		{"suffix route", "x.y.test", nil, nil, "y.test:[10.1.1.9]\n.y.test:[10.1.1.2]\n.test:[10.1.1.3]",
			[]string{"10.1.1.2:25"}, noConn},
		{"default route", "x.y.test", nil, nil, "z.test:[10.1.1.9]\n:[10.1.1.2]", []string{"10.1.1.2:25"}, noConn},
	} {
		g := newRig(t, nil)
		g.dns.addrs = c.addrs
		if c.mx != nil {
			g.dns.mx[c.host] = c.mx
		}
		g.control("smtproutes", c.route+"\n")
		got := g.send(testMessage, c.host, "a@b.test", "c@far.test")
		slices.Sort(g.tried)
		if got != c.want || !slices.Equal(g.tried, c.tried) {
			t.Errorf("%s: tried %v, %q; want %v, %q", c.name, g.tried, got, c.tried, c.want)
		}
	}
}

func TestEqualPreferencesAreTriedInRandomOrder(t *testing.T) {
	g := newRig(t, nil)
	g.dns.mx["far.test"] = mxs("10 a 10 b 5 first")
	g.dns.addrs = map[string][]string{"a": {"10.1.1.1"}, "b": {"10.1.1.2"}, "first": {"10.1.1.3"}}
	seen := map[string]int{}
	for range 100 {
		g.tried = nil
		g.usual()
		seen[strings.Join(g.tried, " ")]++
	}
	if len(seen) != 2 {
		t.Error(seen)
	}
	for order := range seen {
		if !strings.HasPrefix(order, "10.1.1.3:25 ") {
			t.Error(order)
		}
	}
}

func TestDeadFirstHostCostsOnlyItsTimeout(t *testing.T) {
	s := serve(t, smtp("", nil))
	g := newRig(t, s)
	g.dns.mx["far.test"] = mxs("10 dead 20 far.test")
	g.dns.addrs["dead"] = []string{"10.0.0.9"}
	g.hosts["10.0.0.9:25"] = nil
	now := time.Now()
	g.Now = func() time.Time { return now }
	for i, want := range []int{2, 2, 1} { // the third time it is known to be dead
		g.tried = nil
		if got := g.usual(); got != accepted || len(g.tried) != want {
			t.Errorf("%d: %q, tried %v", i, got, g.tried)
		}
		now = now.Add(3 * time.Minute)
	}
	g.hosts["10.0.0.9:25"] = s
	now = now.Add(3 * time.Hour)
	g.usual()
	if list, err := g.Dead.List(); err != nil || len(list) != 0 {
		t.Error("a host that answers is still listed:", list, err)
	}
}
