package remote

import (
	"io"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/ipme"
)

func TestNextExchangerIsTriedWhereOneDoesNotGreetUs(t *testing.T) {
	for _, bad := range []func(peer){
		func(p peer) { p.send("421 busy\r\n"); p.line() },
		func(p peer) { p.send("450 later\r\n"); p.line() },
		func(p peer) { p.send("554 no mail from you\r\n"); p.line() },
		func(peer) {},
		func(p peer) { p.line() },
		func(p peer) { p.send("220 x\r\n"); p.line(); p.send("550 no\r\n"); p.line(); p.send("550 no\r\n") },
	} {
		good, first := serve(t, smtp("", nil)), serve(t, bad)
		g := newRig(t, first)
		g.dns.mx["far.test"] = mxs("1 far.test 2 second")
		g.dns.addrs["second"] = []string{"10.0.0.2"}
		g.hosts["10.0.0.2:25"] = good
		if got := g.usual(); got != strings.ReplaceAll(accepted, "10.0.0.1", "10.0.0.2") {
			t.Errorf("%q", got)
		}
		delete(g.hosts, "10.0.0.2:25")
		if got := g.usual(); got[0] != 'Z' || !strings.Contains(got, "10.0.0.1") {
			t.Errorf("alone: %q", got)
		}
	}
}

func TestWholeDeliveryHasADeadline(t *testing.T) {
	g := newRig(t, nil)
	g.dns.mx["far.test"] = mxs("1 a 2 b 3 c 4 d")
	for i, name := range []string{"a", "b", "c", "d"} {
		ip := "10.0.1." + string(rune('1'+i))
		g.dns.addrs[name] = []string{ip}
		g.hosts[ip+":25"] = serve(t, func(p peer) { p.line() })
	}
	g.control("timeoutdelivery", "0\n") // what one recipient adds is left
	g.control("timeoutremote", "8\n")
	start := time.Now()
	if got := g.usual(); got[0] != 'Z' {
		t.Errorf("%q", got)
	}
	if d := time.Since(start); d > perRecipient+3*time.Second {
		t.Error(d)
	}
}

func TestSilentHostIsRememberedLikeADeadOne(t *testing.T) {
	for at := range 5 {
		replies := []string{"220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 x\r\n"}[:at]
		silent := func(p peer) {
			for i, r := range replies {
				if i > 0 {
					p.line()
				}
				p.send(r)
			}
			io.Copy(io.Discard, p)
		}
		s := serve(t, silent)
		g := newRig(t, s)
		now := time.Now()
		g.Now = func() time.Time { return now }
		for i := range 2 {
			if got := g.usual(); !strings.Contains(got, "connection died") {
				t.Errorf("%d, %d: %q", at, i, got)
			}
			now = now.Add(3 * time.Minute)
		}
		n := s.connections()
		if got := g.usual(); s.connections() != n || !strings.HasPrefix(got, "ZSorry, I wasn't able to establish") {
			t.Errorf("%d: %q, %d connections more", at, got, s.connections()-n)
		}
		// When its time has come it is tried, and an answer clears it.
		g.hosts["10.0.0.1:25"] = serve(t, smtp("", nil))
		now = now.Add(3 * time.Hour)
		if got := g.usual(); got != accepted {
			t.Errorf("%d: %q", at, got)
		}
		if list, err := g.Dead.List(); err != nil || len(list) != 0 {
			t.Error(at, list, err)
		}
	}
}

func TestControlBytesOfAServerNeverReachTheReport(t *testing.T) {
	var all []byte
	for c := range 256 {
		if c != '\n' {
			all = append(all, byte(c))
		}
	}
	for _, verb := range []string{"MAIL", "RCPT", "DATA", ".", ""} {
		s := serve(t, smtp("", map[string]string{verb: "550 " + string(all) + "\xc2\x9b31m\r\n"}))
		got := newRig(t, s).usual()
		for i := 0; i < len(got); i++ {
			if c := got[i]; c < ' ' && c != '\n' && c != '\t' || 0x7f <= c && c < 0xa0 {
				t.Errorf("%s: byte %#x in %q", verb, c, got)
				break
			}
		}
	}
}

func TestWhatAServerSaysInUTF8ReachesTheReport(t *testing.T) {
	const text = "550 Empfänger Übeltäter: ФП € 日本 😀 é"
	s := serve(t, smtp("", map[string]string{"RCPT": text + "\x9b\r\n"}))
	if got := newRig(t, s).usual(); !strings.Contains(got, text+"?\n") {
		t.Errorf("%q", got)
	}
}

func TestHostInTheReportIsPrintable(t *testing.T) {
	for _, host := range []string{"a\x1b[2Jb.test", "a b\n.test", "\xff\x9b.test", "\x7f"} {
		g := newRig(t, nil)
		got := g.send(testMessage, host, "a@b.test", "c@far.test")
		name, ok := strings.CutPrefix(got, "DSorry, I couldn't find any host named ")
		name, ok2 := strings.CutSuffix(name, ". (#5.1.2)\n|")
		if !ok || !ok2 || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q", got)
		}
	}
}

func TestExchangersAndRelaysMayBeBareAddresses(t *testing.T) {
	for mx, want := range map[string]string{
		"10.1.1.1": "10.1.1.1:25", "[10.1.1.1]": "10.1.1.1:25", "fd00::1": "[fd00::1]:25", "[fd00::1]": "[fd00::1]:25",
	} {
		g := newRig(t, nil)
		g.dns.mx["far.test"] = mxs("1 " + mx)
		if got := g.usual(); len(g.tried) != 1 || g.tried[0] != want {
			t.Errorf("MX %s: tried %v, %q", mx, g.tried, got)
		}
	}
	for route, want := range map[string]string{
		"fd00::1": "[fd00::1]:25", "[fd00::1]": "[fd00::1]:25", "[fd00::1]:26": "[fd00::1]:26", "::1": "[::1]:25",
		"fd00::1:26": "[fd00::1:26]:25", "::ffff:10.1.1.1": "10.1.1.1:25", "10.1.1.1:26": "10.1.1.1:26",
	} {
		g := newRig(t, nil)
		g.control("smtproutes", ":"+route+"\n")
		if got := g.usual(); len(g.tried) != 1 || g.tried[0] != want {
			t.Errorf("route %s: tried %v, %q", route, g.tried, got)
		}
	}
}

func TestExchangerThatIsThisMachineGetsNothing(t *testing.T) {
	for _, ip := range []string{"0.0.0.0", "0.0.0.9", "127.0.0.1", "127.0.3.1", "127.255.255.255", "::", "::1",
		"::ffff:127.0.3.1"} {
		for _, mx := range []string{"me", ip} {
			g := newRig(t, nil)
			g.Ours = ipme.Ours
			g.dns.mx["far.test"] = mxs("10 " + mx + " 20 other")
			g.dns.addrs["me"] = []string{ip}
			g.dns.addrs["other"] = []string{"192.0.2.1"}
			if got := g.usual(); len(g.tried) != 0 || !strings.Contains(got, "#5.4.6") {
				t.Errorf("%s: tried %v, %q", ip, g.tried, got)
			}
		}
	}
}
