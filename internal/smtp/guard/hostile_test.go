package guard

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"qmail/internal/smtp/tcpto"
)

// A fault is something that a host does in the place of a handshake.
type fault struct {
	name  string
	shake func(n int, c net.Conn) bool
}

func reset(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }

// hello reads a ClientHello, all of it, so that a reset is no accident.
func hello(c net.Conn) {
	b := make([]byte, 5)
	io.ReadFull(c, b)
	io.CopyN(io.Discard, c, int64(b[3])<<8|int64(b[4]))
}

func faults() []fault {
	forever := func(c net.Conn, b []byte, pause time.Duration) {
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
	return []fault{
		{"closes", func(_ int, c net.Conn) bool { return false }},
		{"resets", func(_ int, c net.Conn) bool { hello(c); reset(c); return false }},
		{"stops", func(_ int, c net.Conn) bool { io.Copy(io.Discard, c); return false }},
		{"drips", func(_ int, c net.Conn) bool {
			c.Write([]byte{22, 3, 3, 64, 0, 2, 0, 63, 252})
			forever(c, []byte{0}, 50*time.Millisecond)
			return false
		}},
		{"floods with alerts", func(_ int, c net.Conn) bool { forever(c, []byte{21, 3, 3, 0, 2, 1, 0}, 0); return false }},
		{"floods with empty records", func(_ int, c net.Conn) bool { forever(c, []byte{22, 3, 3, 0, 0}, 0); return false }},
		{"announces a huge message", func(_ int, c net.Conn) bool {
			c.Write([]byte{22, 3, 3, 64, 0, 2, 255, 255, 255})
			forever(c, make([]byte, 4096), 0)
			return false
		}},
		{"speaks SMTP", func(_ int, c net.Conn) bool {
			c.Write([]byte("250 what?\r\n"))
			io.Copy(io.Discard, c)
			return false
		}},
	}
}

func TestAHandshakeThatFailsIsADeferralUnderEncryptAndPlainUnderMay(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for policy, want := range map[string]string{"may": openly("may"), "encrypt": "ZConnected to 10.0.0.1 but "} {
				h := (&host{offers: starttls, shake: f.shake}).serve(t)
				x := newRig(t, h, nil)
				x.control("tlsroutes", ":"+policy+"\n")
				x.control("timeoutremote", "1\n")
				if got := x.send("far.test"); !strings.HasPrefix(got, want) ||
					policy == "encrypt" && !strings.Contains(got, "TLS failed (mx.far.test, policy encrypt): ") {
					t.Errorf("%s: %q", policy, got)
				}
				before := len(h.heard)
				if policy == "may" {
					if got := x.send("far.test"); got != openly("may") {
						t.Errorf("again: %q", got)
					}
				}
				heard, _ := h.all()
				if policy == "may" && len(heard) != before+1 {
					t.Errorf("what went wrong was not remembered: %q", heard)
				}
				for _, l := range heard {
					if strings.Contains(l, "STARTTLS") && strings.Contains(l, "MAIL") {
						t.Errorf("mail on a connection whose handshake failed: %q", l)
					}
				}
				if policy == "encrypt" && strings.Contains(strings.Join(heard, ""), "MAIL") {
					t.Errorf("mail in plain: %q", heard)
				}
			}
		})
	}
}

func TestAHostThatResetsALongFirstMessageIsAskedWithAShortOne(t *testing.T) {
	a := newAuthority(t)
	h := &host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{a.issue(allDay, "mx.far.test")}},
		shake: func(n int, c net.Conn) bool {
			if n == 0 {
				hello(c)
				reset(c)
			}
			return n > 0
		}}
	x := newRig(t, h.serve(t), a)
	x.control("tlsroutes", ":verify\n")
	for range 2 {
		if got := x.send("far.test"); got != secretly("verify") {
			t.Errorf("%q", got)
		}
	}
	if heard, _ := h.all(); len(heard) != 3 {
		t.Errorf("%q", heard)
	}
	for _, list := range h.curves {
		for _, c := range list {
			if c == tls.X25519MLKEM768 {
				t.Error("the first message was long again")
			}
		}
	}
	q := x.Dead.Quirk(netip.MustParseAddr("10.0.0.1"), time.Now())
	if q.Without != tcpto.Classical {
		t.Errorf("%b", q.Without)
	}
}

func TestWhatComesBehindTheAnswerToSTARTTLSIsNotBelieved(t *testing.T) {
	a := newAuthority(t)
	for policy, want := range map[string]string{
		"may":     openly("may"),
		"encrypt": failed("encrypt", "more came behind its answer to STARTTLS, where somebody else can have put it"),
	} {
		h := usual(t, a, "mx.far.test")
		h.answer = "220 go\r\n250-fake\r\n250 AUTH\r\n"
		x := newRig(t, h, a)
		x.control("tlsroutes", ":"+policy+"\n")
		if got := x.send("far.test"); got != want {
			t.Errorf("%s: %q", policy, got)
		}
		if heard, secret := h.all(); secret[0] || strings.Contains(heard[0], "MAIL") {
			t.Errorf("the connection was used: %q", heard)
		}
	}
}

func TestAHugeChainOfCertificatesIsADeferral(t *testing.T) {
	a := newAuthority(t)
	c := a.issue(allDay, "mx.far.test")
	for len(c.Certificate) < 1000 {
		c.Certificate = append(c.Certificate, a.cert.Raw)
	}
	h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c}}}).serve(t)
	x := newRig(t, h, a)
	x.control("tlsroutes", ":verify\n")
	if got := x.send("far.test"); !strings.HasPrefix(got, "ZConnected to 10.0.0.1 but TLS failed") {
		t.Errorf("%q", got)
	}
}

func TestTLSOfTheLastCenturyIsNone(t *testing.T) {
	a := newAuthority(t)
	h := usual(t, a, "mx.far.test")
	h.config.MinVersion, h.config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	x := newRig(t, h, a)
	if got := x.send("far.test"); got != openly("may") {
		t.Errorf("%q", got)
	}
	x.control("tlsroutes", ":encrypt\n")
	if got := x.send("far.test"); got[0] != 'Z' {
		t.Errorf("%q", got)
	}
}

func TestAFailureUnderTLSBeforeMailIsFollowedByPlainOnlyUnderMay(t *testing.T) {
	a := newAuthority(t)
	for policy, want := range map[string]string{
		"may": openly("may"), "encrypt": "ZConnected to 10.0.0.1 but connection died. (#4.4.2)\n|",
	} {
		h := usual(t, a, "mx.far.test")
		h.replies = map[string]string{"EHLO": ""}
		x := newRig(t, h, a)
		x.control("tlsroutes", ":"+policy+"\n")
		if got := x.send("far.test"); got != want {
			t.Errorf("%s: %q", policy, got)
		}
	}
}

func TestAFailureOfMailUnderTLSIsNeverFollowedByPlain(t *testing.T) {
	a := newAuthority(t)
	for _, verb := range []string{"MAIL", "RCPT", "DATA"} {
		for _, reply := range []string{"", "454 later\r\n", "554 no\r\n"} {
			h := usual(t, a, "mx.far.test")
			h.replies = map[string]string{verb: reply}
			if got := newRig(t, h, a).send("far.test"); strings.Contains(got, "|K") || strings.Contains(got, "tls=") {
				t.Errorf("%s %q: %q", verb, reply, got)
			}
			heard, secret := h.all()
			for i, l := range heard {
				if strings.Contains(l, "MAIL") && !secret[i] {
					t.Errorf("%s %q: %q", verb, reply, heard)
				}
			}
		}
	}
}

func TestWhatWasAcceptedStaysAcceptedHoweverTheConnectionEnds(t *testing.T) {
	a := newAuthority(t)
	h := usual(t, a, "mx.far.test")
	h.abrupt = true
	x := newRig(t, h, a)
	x.Keep = true
	for range 3 {
		if got := x.send("far.test"); got != secretly("may") {
			t.Errorf("%q", got)
		}
		h.wg.Wait()
	}
	if heard, _ := h.all(); len(heard) != 3 {
		t.Errorf("%d connections", len(heard))
	}
}
