package guard

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/dns"
)

// usual is a host that offers TLS, with a certificate for names.
func usual(t *testing.T, a *authority, names ...string) *host {
	t.Helper()
	c := a.issue(allDay, names...)
	return (&host{offers: starttls + pipelining, config: &tls.Config{Certificates: []tls.Certificate{c}}}).serve(t)
}

func TestMailGoesBySTARTTLSWhereThatIsOfferedAndInPlainWhereNot(t *testing.T) {
	a := newAuthority(t)
	h := usual(t, a, "else.test")
	x := newRig(t, h, nil)
	if got := x.send("far.test"); got != secretly("may") {
		t.Errorf("%q", got)
	}
	heard, secret := h.all()
	want := "EHLO me.test\r\nSTARTTLS\r\nEHLO me.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@far.test>\r\nDATA\r\nQUIT\r\n"
	if len(heard) != 1 || heard[0] != want || !secret[0] || h.sni[0] != "mx.far.test" {
		t.Errorf("%q, %v, %q", heard, secret, h.sni)
	}
	if !slices.Contains(h.curves[0], tls.X25519MLKEM768) {
		t.Errorf("no hybrid key exchange: %v", h.curves[0])
	}
	h = (&host{offers: pipelining}).serve(t)
	if got := newRig(t, h, nil).send("far.test"); got != openly("may") {
		t.Errorf("%q", got)
	}
}

func TestAPolicyIsObeyed(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	good := a.issue(allDay, "mx.far.test", "*.wild.test")
	cert, public := sha256.Sum256(good.Certificate[0]), sha256.Sum256(good.Leaf.RawSubjectPublicKeyInfo)
	certHex, keyHex := hex.EncodeToString(cert[:]), hex.EncodeToString(public[:])
	wrong := strings.Repeat("00", 32)
	for _, c := range []struct {
		line string
		cert tls.Certificate
		want string
	}{
		{"far.test:none", good, openly("none")},
		{"mx.far.test:none", good, openly("none")},
		{".test:none\nfar.test:encrypt", good, secretly("encrypt")},
		{"10.0.0.1:encrypt", other.issue(-time.Hour, "x"), secretly("encrypt")},
		{":verify", good, secretly("verify")},
		{":verify:wild.test", good, failed("verify", errName.Error())},
		{":verify:a.wild.test", good, secretly("verify")},
		{":verify:nobody.test,.far.test", good, secretly("verify")},
		{":verify:.other.test", good, failed("verify", errName.Error())},
		{":verify", other.issue(allDay, "mx.far.test"), failed("verify", errAuthority.Error())},
		{":verify", a.issue(-time.Hour, "mx.far.test"), failed("verify", errExpired.Error())},
		{":verify", a.issue(allDay, "far.test"), failed("verify", errName.Error())},
		{":fingerprint:" + wrong, good, failed("fingerprint", errPrint.Error())},
		{":fingerprint:" + wrong + "," + certHex, good, secretly("fingerprint")},
		{":fingerprint:" + keyHex, good, secretly("fingerprint")},
		{"far.test:verfy", good, "ZThe line of control/tlsroutes for far.test makes no sense: " +
			"its policy is none of none, may, encrypt, verify, fingerprint. (#4.3.5)\n|"},
		{"other.test:verfy", good, secretly("may")},
	} {
		h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c.cert}}}).serve(t)
		x := newRig(t, h, a)
		x.control("tlsroutes", c.line+"\n")
		if got := x.send("far.test"); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
		heard, secret := h.all()
		for i, l := range heard {
			if strings.Contains(l, "MAIL") && !secret[i] && !strings.Contains(c.line, "none") {
				t.Errorf("%s: mail in plain: %q", c.line, l)
			}
		}
	}
}

func TestAHostThatOffersNoTLSGetsNoMailThatMustBeSecret(t *testing.T) {
	a := newAuthority(t)
	for _, policy := range []string{"encrypt", "verify"} {
		for offers, why := range map[string]string{"": "it does not offer STARTTLS", starttls: "it refused STARTTLS"} {
			h := (&host{offers: offers, answer: "454 not now\r\n"}).serve(t)
			x := newRig(t, h, a)
			x.control("tlsroutes", ":"+policy+"\n")
			if got := x.send("far.test"); got != failed(policy, why) {
				t.Errorf("%s: %q", policy, got)
			}
			if heard, _ := h.all(); strings.Contains(strings.Join(heard, ""), "MAIL") {
				t.Errorf("%q", heard)
			}
		}
	}
	h := (&host{offers: starttls, answer: "454 not now\r\n"}).serve(t)
	if got := newRig(t, h, a).send("far.test"); got != openly("may") {
		t.Errorf("%q", got)
	}
	if heard, _ := h.all(); len(heard) != 1 {
		t.Errorf("a host that said no in peace was left: %q", heard)
	}
}

func TestFilesOfNetqmailAreHonoured(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"notlshosts/mx.far.test": ""}, openly("none")},
		{map[string]string{"notlshosts/mx.far.test": "", "tlsroutes": ":encrypt\n"}, openly("none")},
		{map[string]string{"notlshosts/mx.far.test": "", "tlsroutes": "far.test:encrypt\n"}, secretly("encrypt")},
		{map[string]string{"tlshosts/mx.far.test.pem": a.pem()}, secretly("verify")},
		{map[string]string{"tlshosts/mx.far.test.pem": other.pem()}, failed("verify", errAuthority.Error())},
		{map[string]string{"tlshosts/mx.far.test.pem": other.pem(), "tlsroutes": "far.test:verify"},
			failed("verify", errAuthority.Error())},
		{map[string]string{"tlshosts/mx.far.test.pem": "x"},
			"Zcontrol/tlshosts/mx.far.test.pem has no certificate. (#4.3.5)\n|"},
		{map[string]string{"tlshosts/far.test.pem": "x", "notlshosts/far.test": ""}, secretly("may")},
	} {
		x := newRig(t, usual(t, a, "mx.far.test"), a)
		for name, text := range c.files {
			x.control(name, text)
		}
		if got := x.send("far.test"); got != c.want {
			t.Errorf("%v: %q, want %q", c.files, got, c.want)
		}
	}
}

func TestANameFromTheDNSIsNoPath(t *testing.T) {
	x := newRig(t, usual(t, newAuthority(t), "x"), nil)
	x.control("tlshosts/../outside.pem", "x")
	x.dns["far.test"] = []dns.MX{{Pref: 1, Host: "../outside"}}
	if got := x.send("far.test"); got != secretly("may") {
		t.Errorf("%q", got)
	}
}

func TestTLSComesFirstAtPort465(t *testing.T) {
	a := newAuthority(t)
	h := &host{atOnce: true, config: &tls.Config{Certificates: []tls.Certificate{a.issue(allDay, "relay.test")}}}
	x := newRig(t, h.serve(t), a)
	x.control("smtproutes", ":relay.test:465\n")
	for _, policy := range []string{"may", "encrypt", "verify"} {
		x.control("tlsroutes", "relay.test:"+policy+"\n")
		if got := x.send("far.test"); got != secretly(policy) {
			t.Errorf("%s: %q", policy, got)
		}
	}
	plain := (&host{}).serve(t)
	x = newRig(t, plain, a)
	x.control("smtproutes", ":relay.test:465\n")
	if got := x.send("far.test"); !strings.Contains(got, "but TLS failed (relay.test, policy may): ") {
		t.Errorf("%q", got)
	}
	if heard, _ := plain.all(); strings.Contains(strings.Join(heard, ""), "EHLO") {
		t.Errorf("something was said in plain: %q", heard)
	}
}

func TestAKeptConnectionServesOnlyThoseWhosePolicyItMeets(t *testing.T) {
	a := newAuthority(t)
	h := usual(t, a, "mx.far.test")
	x := newRig(t, h, a)
	x.Keep = true
	x.dns["b.test"], x.dns["c.test"] = x.dns["far.test"], x.dns["far.test"]
	x.control("tlsroutes", "c.test:verify\n")
	for _, domain := range []string{"far.test", "far.test", "b.test"} {
		if got := x.send(domain); got != secretly("may") {
			t.Errorf("%s: %q", domain, got)
		}
	}
	h.mu.Lock()
	n := len(h.heard)
	h.mu.Unlock()
	if n != 1 {
		t.Errorf("%d connections", n)
	}
	for _, domain := range []string{"c.test", "c.test"} {
		if got := x.send(domain); got != secretly("verify") {
			t.Errorf("%s: %q", domain, got)
		}
	}
	x.control("tlsroutes", ":encrypt\n")
	x.send("c.test")
	x.Rest()
	heard, _ := h.all()
	var mails []int
	for _, l := range heard {
		mails = append(mails, strings.Count(l, "MAIL"))
	}
	if !slices.Equal(mails, []int{3, 2, 1}) {
		t.Errorf("messages by connection: %v", mails)
	}
}
