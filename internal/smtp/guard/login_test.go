package guard

import (
	"crypto/tls"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/auth/scram"
	"qmail/internal/smtp/remote"
)

func in64(s string) string  { return base64.StdEncoding.EncodeToString([]byte(s)) }
func out64(s string) string { b, _ := base64.StdEncoding.DecodeString(s); return string(b) }

const (
	good = "235 2.7.0 welcome\r\n"
	bad  = "535 5.7.8 who?\r\n"
)

// relay is a smarthost with logins.
func relay(t *testing.T, a *authority, mechanisms string, login func(string, func(string) string) string) *host {
	t.Helper()
	c := a.issue(allDay, "relay.test")
	return (&host{offers: starttls + pipelining + "250-AUTH " + mechanisms + "\r\n", login: login,
		config: &tls.Config{Certificates: []tls.Certificate{c}}}).serve(t)
}

// plainOrLogin lets joe in with his secret.
func plainOrLogin(l string, ask func(string) string) string {
	switch {
	case l == "AUTH PLAIN "+in64("\x00joe\x00a secret"):
		return good
	case l == "AUTH LOGIN" && out64(ask(in64("Username:"))) == "joe" && out64(ask("what?")) == "a secret":
		return good
	}
	return bad
}

func TestALoginIsHeldUnderTLSWithAVerifiedHost(t *testing.T) {
	a := newAuthority(t)
	for _, mechanisms := range []string{"PLAIN LOGIN", "login", "CRAM-MD5 LOGIN PLAIN"} {
		for _, route := range []string{":relay.test:587 joe a secret", "far.test:relay.test|joe|a secret"} {
			h := relay(t, a, mechanisms, plainOrLogin)
			x := newRig(t, h, a)
			x.control("smtproutes", route+"\n")
			x.control("tlsroutes", ":may\n")
			if got := x.send("far.test"); got != secretly("verify") {
				t.Errorf("%s, %s: %q", mechanisms, route, got)
			}
			if heard, _ := h.all(); strings.Index(heard[0], "AUTH") < strings.Index(heard[0], "STARTTLS") {
				t.Errorf("%q", heard)
			}
		}
	}
}

func TestAPasswordNeverGoesWithoutTLSOrToAStranger(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		offers, routes string
		cert           tls.Certificate
		want           string
	}{
		{"250-AUTH PLAIN\r\n", "", a.issue(allDay, "relay.test"), "it does not offer STARTTLS"},
		{starttls + "250-AUTH PLAIN\r\n", ":may\n", a.issue(allDay, "else.test"), errName.Error()},
		{starttls + "250-AUTH PLAIN\r\n", "", other.issue(allDay, "relay.test"), errAuthority.Error()},
		{starttls + "250-AUTH PLAIN\r\n", "relay.test:none\n", a.issue(allDay, "relay.test"),
			"the login at relay.test failed: a password is sent by TLS only"},
	} {
		h := (&host{offers: c.offers, login: plainOrLogin, config: &tls.Config{Certificates: []tls.Certificate{c.cert}}}).
			serve(t)
		x := newRig(t, h, a)
		x.control("smtproutes", ":relay.test joe secret\n")
		x.control("tlsroutes", c.routes)
		if got := x.send("far.test"); !strings.HasPrefix(got, "ZConnected to ") || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q", c.offers, got)
		}
		if heard, _ := h.all(); strings.Contains(strings.Join(heard, ""), "AUTH") {
			t.Errorf("%q: %q", c.offers, heard)
		}
	}
	x := newRig(t, usual(t, a, "relay.test"), a)
	x.control("smtproutes", ":relay.test joe secret\n")
	x.Secure = nil
	if got := x.send("far.test"); !strings.HasPrefix(got, "Zcontrol/smtproutes or control/authsenders has a password") {
		t.Errorf("%q", got)
	}
	x.control("smtproutes", ":|joe|secret\n")
	if got := x.send("far.test"); got[0] != 'Z' || x.Address().IsValid() {
		t.Errorf("a login at whatever host the DNS names: %q", got)
	}
}

func TestALoginThatFailsIsADeferralAndTriedOnce(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		mechanisms, reply, want string
	}{
		{"PLAIN", bad, "failed. (#4.7.8)\nRemote host said: 535 5.7.8 who?\n|"},
		{"PLAIN", "334 x\r\n", "failed: " + errChallenge.Error() + ". (#4.7.8)\n|"},
		{"CRAM-MD5", good, "failed: " + errMechanism.Error() + ". (#4.7.8)\n|"},
		{"", good, "failed: " + errMechanism.Error() + ". (#4.7.8)\n|"},
	} {
		h := relay(t, a, c.mechanisms, func(string, func(string) string) string { return c.reply })
		x := newRig(t, h, a)
		x.control("smtproutes", ":relay.test joe secret\n")
		x.Resolve = func() remote.Resolver { return many{x.dns} }
		if got := x.send("far.test"); !strings.HasPrefix(got, "ZConnected to ") || !strings.HasSuffix(got, c.want) {
			t.Errorf("%q: %q", c, got)
		}
		if heard, _ := h.all(); c.reply == bad && strings.Count(strings.Join(heard, ""), "AUTH") != 1 {
			t.Errorf("a password that was refused was tried at every address: %q", heard)
		}
	}
}

// many is a DNS where each host has three addresses.
type many struct{ names }

func (many) Addrs(string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")},
		nil
}

func TestSCRAMIsPreferredAndTheHostMustProveItself(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		offers string
		plus   bool
		proves bool
	}{
		{"PLAIN SCRAM-SHA-256", false, true},
		{"PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, true},
		{"SCRAM-SHA-256-PLUS", true, true},
		{"SCRAM-SHA-256", false, false},
	} {
		var h *host
		h = relay(t, a, c.offers, func(l string, ask func(string) string) string {
			first, ok := strings.CutPrefix(l, "AUTH SCRAM-SHA-256 ")
			if c.plus {
				first, ok = strings.CutPrefix(l, "AUTH SCRAM-SHA-256-PLUS ")
			}
			if !ok {
				return bad
			}
			if !c.proves {
				return good
			}
			s := h.server.ConnectionState()
			binding, err := s.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			if err != nil {
				t.Error(err)
			}
			return scramServer(t, out64(first), c.plus, binding, ask)
		})
		x := newRig(t, h, a)
		x.control("authsenders", "a@b.test:relay.test|joe|a secret\n")
		got := x.send("far.test")
		if c.proves && got != secretly("verify") || !c.proves && !strings.Contains(got, errProof.Error()) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// scramServer plays the server for joe, whose password is "a secret".
func scramServer(t *testing.T, first string, plus bool, binding []byte, ask func(string) string) string {
	k, err := scram.NewKey([]byte("a secret"))
	if err != nil {
		t.Error(err)
	}
	f, err := scram.ReadFirst([]byte(first), plus, plus)
	if err != nil || f.User != "joe" {
		t.Error(f.User, err)
		return bad
	}
	s, challenge := scram.NewServer(f, k, binding)
	verdict, err := s.Final([]byte(out64(ask(in64(string(challenge))))))
	if err != nil || ask(in64(string(verdict))) != "" {
		t.Error(err)
		return bad
	}
	return good
}

func TestATokenComesFromItsProgram(t *testing.T) {
	a := newAuthority(t)
	program := filepath.Join(t.TempDir(), "token")
	for _, c := range []struct{ script, mechanisms, want, says string }{
		{"echo tok-$1", "PLAIN OAUTHBEARER", "AUTH OAUTHBEARER " + in64("n,a=joe,\x01auth=Bearer tok-x\x01\x01"), ""},
		{"echo tok-$1", "XOAUTH2 PLAIN", "AUTH XOAUTH2 " + in64("user=joe\x01auth=Bearer tok-x\x01\x01"), ""},
		{"echo tok; exit 1", "XOAUTH2", "", errToken.Error()},
		{"exit 0", "XOAUTH2", "", errToken.Error()},
		{"yes", "XOAUTH2", "", errToken.Error()},
		{"echo tok", "PLAIN", "", errMechanism.Error()},
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		h := relay(t, a, c.mechanisms, func(l string, ask func(string) string) string {
			if l == c.want {
				return good
			}
			return bad
		})
		x := newRig(t, h, a)
		x.control("authsenders", "b.test:relay.test|joe|token:"+program+" x\n")
		x.control("smtproutes", ":elsewhere.test\n")
		got := x.send("far.test")
		if c.says == "" && got != secretly("verify") || !strings.Contains(got, c.says) || got[0] == 'D' {
			t.Errorf("%s: %q", c.script, got)
		}
		if !x.RunsPrograms() {
			t.Error("it would be confined, and unable to run the program")
		}
	}
}

func TestATokenThatIsRefusedEndsTheLoginInPeace(t *testing.T) {
	a := newAuthority(t)
	program := filepath.Join(t.TempDir(), "token")
	os.WriteFile(program, []byte("#!/bin/sh\necho tok\n"), 0o755)
	for mechanism, want := range map[string]string{"OAUTHBEARER": "AQ==", "XOAUTH2": ""} {
		h := relay(t, a, mechanism, func(_ string, ask func(string) string) string {
			if got := ask(in64(`{"status":"401"}`)); got != want {
				t.Errorf("%s: %q", mechanism, got)
			}
			return bad
		})
		x := newRig(t, h, a)
		x.control("authsenders", ":relay.test|joe|token:"+program+"\n")
		if got := x.send("far.test"); !strings.HasSuffix(got, "Remote host said: 535 5.7.8 who?\n|") || got[0] != 'Z' {
			t.Errorf("%s: %q", mechanism, got)
		}
	}
}

func TestAKeptConnectionServesOneLogin(t *testing.T) {
	a := newAuthority(t)
	h := relay(t, a, "PLAIN", func(string, func(string) string) string { return good })
	x := newRig(t, h, a)
	x.Keep = true
	for _, user := range []string{"joe", "joe", "sam", "joe"} {
		x.control("authsenders", "a@b.test:relay.test|"+user+"|secret\n")
		if got := x.send("far.test"); got != secretly("verify") {
			t.Errorf("%s: %q", user, got)
		}
	}
	x.Rest()
	if heard, _ := h.all(); len(heard) != 3 {
		t.Errorf("%q", heard)
	}
}

func TestAHostThatAsksWhoWeAreIsShownOurCertificate(t *testing.T) {
	a := newAuthority(t)
	h := usual(t, a, "mx.far.test")
	h.config.ClientAuth = tls.RequireAnyClientCert
	x := newRig(t, h, a)
	x.control("tlsroutes", ":encrypt\n")
	if got := x.send("far.test"); got[0] != 'Z' {
		t.Errorf("without a certificate: %q", got)
	}
	ours := a.issue(allDay, "me.test")
	x.Certificate = func() (*tls.Certificate, error) { return &ours, nil }
	if got := x.send("far.test"); got != secretly("encrypt") {
		t.Errorf("%q", got)
	}
	if got := h.server.ConnectionState().PeerCertificates; len(got) == 0 || !got[0].Equal(ours.Leaf) {
		t.Error("it was shown another one")
	}
	x.Certificate = func() (*tls.Certificate, error) { return nil, errToken }
	if got := x.send("far.test"); got != failed("encrypt", errToken.Error()) {
		t.Errorf("%q", got)
	}
}
