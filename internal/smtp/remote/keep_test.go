package remote

import (
	"strings"
	"testing"
	"time"
)

func keeping(t *testing.T, s *server) *rig {
	g := newRig(t, s)
	g.Keep = true
	return g
}

func TestKeptConnectionTakesTheNextMessageForItsHost(t *testing.T) {
	s := serve(t, smtp(pipelining, nil))
	g := keeping(t, s)
	for range 5 {
		if got := g.usual(); got != accepted {
			t.Errorf("%q", got)
		}
	}
	g.Rest()
	if w := s.wires(); len(w) != 1 || strings.Count(w[0], "EHLO") != 1 || strings.Count(w[0], "MAIL") != 5 ||
		!strings.HasSuffix(w[0], ".\r\nQUIT\r\n") {
		t.Errorf("%q", w)
	}
	if g.asked != 1 {
		t.Errorf("%d lookups", g.asked)
	}
}

func TestKeptConnectionServesAnotherDomainOnTheSameHost(t *testing.T) {
	s := serve(t, smtp(pipelining, nil))
	g := keeping(t, s)
	g.dns.mx["other.test"] = mxs("1 x 2 far.test")
	g.dns.addrs["x"] = []string{"10.0.0.1"}
	g.usual()
	if got := g.send(testMessage, "other.test", "", "c@other.test"); got != accepted {
		t.Errorf("%q", got)
	}
	if s.connections() != 1 {
		t.Error("it was not used")
	}
	g.dns.mx["third.test"] = mxs("1 y 2 far.test")
	g.dns.addrs["y"] = []string{"10.0.0.2"}
	g.hosts["10.0.0.2:25"] = s
	g.send(testMessage, "third.test", "", "c@third.test")
	if s.connections() != 2 {
		t.Error("it was used for a domain that prefers another host")
	}
	g.Rest()
	s.wires()
}

func TestConnectionIsNotKeptWithoutPIPELININGOrAfterAFailure(t *testing.T) {
	for _, c := range []func(peer){
		smtp("", nil),
		smtp(pipelining, map[string]string{"RCPT": "550 no\r\n"}),
		smtp(pipelining, map[string]string{".": "451 no\r\n"}),
		smtp(pipelining, map[string]string{".": "250 taken\r\n250 what?\r\n"}),
	} {
		g := keeping(t, serve(t, c))
		g.usual()
		if g.kept != nil {
			t.Error("it was kept")
		}
	}
}

func TestConnectionIsNotReusedAfterAChangeOfNameOrWhenOld(t *testing.T) {
	s := serve(t, smtp(pipelining, nil))
	g := keeping(t, s)
	now := time.Now()
	g.Now = func() time.Time { return now }
	g.usual()
	g.control("helohost", "other.test\n")
	g.usual()
	now = now.Add(maxAge + time.Second)
	g.usual()
	if n := s.connections(); n != 3 {
		t.Errorf("%d connections", n)
	}
	g.Rest()
	s.wires()
}

func TestBytesThatNobodyAskedForCloseAKeptConnection(t *testing.T) {
	for _, c := range []func(p peer){
		func(p peer) { p.send("250 again\r\n") },
		func(p peer) { p.send("421 going\r\n") },
		func(p peer) { p.Close() },
	} {
		kept, said := make(chan struct{}), make(chan struct{})
		s := serve(t, func(p peer) {
			p.send("220 x\r\n")
			p.line()
			p.send("250-x\r\n250 PIPELINING\r\n")
			p.line()
			p.line()
			p.line()
			p.send("250 1\r\n250 2\r\n354 3\r\n")
			p.data()
			p.send("250 taken\r\n")
			<-kept
			c(p)
			close(said)
			p.line()
		}, smtp(pipelining, nil))
		g := keeping(t, s)
		g.usual()
		close(kept)
		<-said
		if got := g.usual(); got != accepted || s.connections() != 2 {
			t.Errorf("%q, %d connections", got, s.connections())
		}
		g.Rest()
		if w := s.wires(); strings.Count(w[0], "MAIL") != 1 {
			t.Errorf("%q", w[0])
		}
	}
}

func TestKeptConnectionThatDiesBeforeDATACostsOneRetry(t *testing.T) {
	// After its first message the server reads n more lines, says something and leaves.
	dying := func(n int, last string) func(peer) {
		return func(p peer) {
			p.send("220 x\r\n")
			p.line()
			p.send("250-x\r\n250 PIPELINING\r\n")
			p.line()
			p.line()
			p.line()
			p.send("250 1\r\n250 2\r\n354 3\r\n")
			p.data()
			p.send("250 taken\r\n")
			for range n {
				p.line()
			}
			p.send(last)
		}
	}
	for _, c := range []struct {
		n    int
		last string
	}{
		{1, ""}, {2, ""}, {3, ""}, {3, "250 ok\r\n"}, {3, "250 ok\r\n250 ok\r\n"}, {1, "421 too many messages\r\n"},
		{1, "451 limit\r\n"}, {1, "550 limit\r\n"}, {3, "250 ok\r\n421 bye\r\n"},
		{3, "250 ok\r\n250 ok\r\n421 bye\r\n"}, {3, "250 ok\r\n250 ok\r\n35"},
		{3, "250 ok\r\n550 no\r\n"}, {3, "250 ok\r\n250 ok\r\n554 no\r\n"},
	} {
		s := serve(t, dying(c.n, c.last), smtp(pipelining, nil))
		g := keeping(t, s)
		g.usual()
		got := g.send(testMessage, "far.test", "", "c@far.test")
		if got != accepted {
			t.Errorf("%+v: %q", c, got)
		}
		g.Rest()
		s.wires()
	}
}

func TestAfterTheFinalDotAKeptConnectionIsLikeAnyOther(t *testing.T) {
	n := 0
	s := serve(t, func(p peer) {
		p.send("220 x\r\n")
		p.line()
		p.send("250-x\r\n250 PIPELINING\r\n")
		for p.line() != "" {
			p.line()
			p.line()
			p.send("250 1\r\n250 2\r\n354 3\r\n")
			p.data()
			if n++; n == 2 {
				return
			}
			p.send("250 taken\r\n")
		}
	})
	g := keeping(t, s)
	g.usual()
	if got := g.usual(); got != "r|ZConnected to 10.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n|" ||
		s.connections() != 1 {
		t.Errorf("%q, %d connections", got, s.connections())
	}
}

func TestAFreshConnectionThatDiesWithNothingOfOursToBlameIsNotTriedAgain(t *testing.T) {
	s := serve(t, smtp("", map[string]string{"MAIL": "close"}))
	g := keeping(t, s)
	if got := g.usual(); got != "ZConnected to 10.0.0.1 but connection died. (#4.4.2)\n|" || s.connections() != 1 {
		t.Errorf("%q, %d connections", got, s.connections())
	}
}

func TestReportOfManyLongRefusalsIsBounded(t *testing.T) {
	refusal := "550 5.1.1 " + strings.Repeat("x", 4000) + "\r\n"
	s := serve(t, smtp(pipelining, map[string]string{"RCPT TO:<no": refusal}))
	g := keeping(t, s)
	args := []string{"far.test", "", "yes@far.test"}
	for range 2000 {
		args = append(args, "no@far.test")
	}
	if got := g.send(testMessage, args...); strings.Count(got, "|") != 2002 ||
		strings.Count(got, "h10.0.0.1 does") != 2000 ||
		len(got) > 10<<20 {
		t.Errorf("%d parts, %d bytes", strings.Count(got, "|"), len(got))
	}
	g.Rest()
	s.wires()
}
