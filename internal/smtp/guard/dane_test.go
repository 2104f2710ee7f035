package guard

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"io"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/tlsroutes"
)

// A fakeDNS has secure hosts by name, with the names at the end of their aliases, and TLSA records by name.
type fakeDNS struct {
	hosts map[string]string
	tlsa  map[string][]dns.TLSA // nil: it fails
	asked *int
	txt   map[string][]string
}

func (f fakeDNS) TXT(name string) ([]string, error) {
	if list, ok := f.txt[name]; ok {
		return list, nil
	}
	return nil, dns.ErrNotFound
}

func (f fakeDNS) Host(host string) (string, bool, error) {
	*f.asked++
	end, ok := f.hosts[host]
	if end == "bogus" {
		return "", false, io.ErrUnexpectedEOF
	}
	return end, ok, nil
}

func (f fakeDNS) TLSA(host string, port uint16) ([]dns.TLSA, error) {
	list, ok := f.tlsa[host]
	if !ok || port != 25 {
		return nil, dns.ErrNotFound
	}
	if list == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return list, nil
}

// record is a TLSA record that means a certificate.
func record(usage, selector, matching uint8, c *x509.Certificate) dns.TLSA {
	b := c.Raw
	if selector == publicKey {
		b = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case sha2:
		s := sha256.Sum256(b)
		b = s[:]
	case sha2Long:
		s := sha512.Sum512(b)
		b = s[:]
	}
	return dns.TLSA{Usage: usage, Selector: selector, Matching: matching, Data: b}
}

// withDANE makes the mail exchanger one whose name is sure and secure.
func (x *rig) withDANE(records ...dns.TLSA) *fakeDNS {
	f := &fakeDNS{map[string]string{"mx.far.test": "mx.far.test"}, map[string][]dns.TLSA{"mx.far.test": records},
		new(int), nil}
	x.Guard.DNS = func() Lookup { return *f }
	x.dns["far.test"] = []dns.MX{{Pref: 1, Host: "mx.far.test", Secure: true}}
	return f
}

func TestTLSARecordsAreObeyed(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	named, byDomain := a.issue(allDay, "mx.far.test"), a.issue(allDay, "far.test")
	stranger, old := a.issue(allDay, "else.test"), a.issue(-time.Hour, "else.test")
	bare := tls.Certificate{Certificate: named.Certificate[:1], PrivateKey: named.PrivateKey}
	noMatch := failed("dane", errTLSA.Error())
	both := []dns.TLSA{record(3, 1, 1, named.Leaf), record(3, 1, 2, stranger.Leaf)}
	for _, c := range []struct {
		name    string
		cert    tls.Certificate
		records []dns.TLSA
		want    string
	}{
		{"3 1 1", stranger, []dns.TLSA{record(3, 1, 1, stranger.Leaf)}, secretly("dane")},
		{"3 0 2, no date and no name", old, []dns.TLSA{record(3, 0, 2, old.Leaf)}, secretly("dane")},
		{"3 0 0", named, []dns.TLSA{record(3, 0, 0, named.Leaf)}, secretly("dane")},
		{"3 1 0, a rollover", named, []dns.TLSA{record(3, 1, 0, stranger.Leaf), record(3, 1, 0, named.Leaf)},
			secretly("dane")},
		{"3 1 1 of another", named, []dns.TLSA{record(3, 1, 1, stranger.Leaf)}, noMatch},
		{"3 1 1 of the authority", named, []dns.TLSA{record(3, 1, 1, a.cert)}, noMatch},
		{"the strongest digest counts", named, both, noMatch},
		{"2 0 1", named, []dns.TLSA{record(2, 0, 1, a.cert)}, secretly("dane")},
		{"2 1 2 by the domain", byDomain, []dns.TLSA{record(2, 1, 2, a.cert)}, secretly("dane")},
		{"2 0 0 that is not sent", bare, []dns.TLSA{record(2, 0, 0, a.cert)}, secretly("dane")},
		{"2 0 1 that is not sent", bare, []dns.TLSA{record(2, 0, 1, a.cert)}, noMatch},
		{"2 1 1 of another", named, []dns.TLSA{record(2, 1, 1, other.cert)}, noMatch},
		{"2 0 1, another name", stranger, []dns.TLSA{record(2, 0, 1, a.cert)}, failed("dane", errName.Error())},
		{"2 0 1, expired", old, []dns.TLSA{record(2, 0, 1, a.cert)}, noMatch},
		{"0 and 1", stranger, []dns.TLSA{record(0, 1, 1, a.cert), record(1, 1, 1, a.cert)}, secretly("dane-unusable")},
		{"nonsense", stranger, []dns.TLSA{{Usage: 255}, {Usage: 3, Selector: 1, Matching: 1, Data: []byte{1}},
			{Usage: 3, Selector: 2}, {Usage: 3, Selector: 1, Matching: 9, Data: []byte{1}}, {Usage: 3, Selector: 1}},
			secretly("dane-unusable")},
	} {
		h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c.cert}}}).serve(t)
		x := newRig(t, h, nil)
		x.withDANE(c.records...)
		if got := x.send("far.test"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if heard, secret := h.all(); len(heard) != 1 || strings.Contains(heard[0], "MAIL") && !secret[0] {
			t.Errorf("%s: %q", c.name, heard)
		}
	}
}

func TestDANECountsOnlyWhereAllTheWayIsSecure(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		name   string
		change func(*rig, *fakeDNS)
		want   string
	}{
		{"the usual", func(*rig, *fakeDNS) {}, failed("dane", errTLSA.Error())},
		{"unsigned MX", func(x *rig, _ *fakeDNS) { x.dns["far.test"][0].Secure = false }, secretly("may")},
		{"unsigned host", func(_ *rig, f *fakeDNS) { f.hosts = nil }, secretly("may")},
		{"no record", func(_ *rig, f *fakeDNS) { f.tlsa = nil }, secretly("may")},
		{"forged record", func(_ *rig, f *fakeDNS) { f.tlsa["mx.far.test"] = nil },
			"ZSorry, I couldn't find out by DNSSEC which certificate mx.far.test has. (#4.7.5)\n|"},
		{"forged host", func(_ *rig, f *fakeDNS) { f.hosts["mx.far.test"] = "bogus" },
			"ZSorry, I couldn't find out by DNSSEC which certificate mx.far.test has. (#4.7.5)\n|"},
		{"no trusted resolver", func(x *rig, _ *fakeDNS) { x.Guard.DNS = nil }, secretly("may")},
		{"an entry of its own", func(x *rig, _ *fakeDNS) { x.control("tlsroutes", "far.test:encrypt\n") },
			secretly("encrypt")},
		{"an entry for a suffix", func(x *rig, _ *fakeDNS) { x.control("tlsroutes", ".far.test:may\n") }, secretly("may")},
		{"an entry for all", func(x *rig, _ *fakeDNS) { x.control("tlsroutes", ":encrypt\n") },
			failed("dane", errTLSA.Error())},
		{"none for all", func(x *rig, _ *fakeDNS) { x.control("tlsroutes", ":none\n") }, openly("none")},
		{"an alias", func(x *rig, f *fakeDNS) {
			f.hosts["mx.far.test"] = "end.test"
			f.tlsa["end.test"] = []dns.TLSA{record(2, 1, 1, a.cert)}
		}, secretly("dane")},
		{"an alias without records", func(x *rig, f *fakeDNS) { f.hosts["mx.far.test"] = "end.test" },
			failed("dane", errTLSA.Error())},
	} {
		h := usual(t, a, "end.test")
		x := newRig(t, h, nil)
		c.change(x, x.withDANE(record(3, 1, 1, a.cert)))
		if got := x.send("far.test"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if h.wg.Wait(); c.name == "an alias" && h.sni[0] != "end.test" {
			t.Errorf("the host was told %q", h.sni)
		}
	}
	plain := (&host{}).serve(t)
	x := newRig(t, plain, nil)
	x.withDANE(record(0, 1, 1, a.cert))
	if got := x.send("far.test"); got != failed("dane-unusable", "it does not offer STARTTLS") {
		t.Errorf("%q", got)
	}
}

func TestTheDNSIsAskedOnceAMinute(t *testing.T) {
	a := newAuthority(t)
	x := newRig(t, usual(t, a, "mx.far.test"), nil)
	f := x.withDANE(record(2, 1, 1, a.cert))
	x.Keep = true
	now := time.Now()
	x.Guard.Now = func() time.Time { return now }
	for i, ago := range []time.Duration{0, time.Second, trust, -time.Hour} {
		now = now.Add(ago)
		if got := x.send("far.test"); got != secretly("dane") {
			t.Errorf("%q", got)
		}
		if want := []int{1, 1, 2, 3}[i]; *f.asked != want {
			t.Errorf("%d: asked %d times", i, *f.asked)
		}
	}
}

func FuzzTLSA(f *testing.F) {
	f.Add(uint8(3), uint8(1), uint8(1), []byte("x"))
	f.Add(uint8(2), uint8(0), uint8(0), []byte("x"))
	a := newAuthority(f)
	c := a.issue(allDay, "mx.far.test")
	f.Fuzz(func(t *testing.T, usage, selector, matching uint8, data []byte) {
		p := &plan{now: time.Now}
		p.entry.Policy = tlsroutes.Encrypt
		p.obey([]dns.TLSA{{Usage: usage, Selector: selector, Matching: matching, Data: data}}, "mx.far.test", "far.test")
		err := p.verify(tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.Leaf, a.cert}})
		real := string(record(usage, selector, matching, c.Leaf).Data) == string(data) ||
			string(record(usage, selector, matching, a.cert).Data) == string(data)
		if len(p.records) > 0 && err == nil && !real {
			t.Errorf("%d %d %d %x was a match", usage, selector, matching, data)
		}
	})
}
