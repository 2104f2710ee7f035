package dns

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func tlsa(owner string, data ...byte) dnsmessage.Resource {
	h := dnsmessage.ResourceHeader{Name: name(owner), Class: dnsmessage.ClassINET, TTL: 60, Type: typeTLSA}
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.UnknownResource{Type: typeTLSA, Data: data}}
}

// signed is a zone of which all but names that contain "plain" is signed, and names that contain "bogus" are forged.
func signed(t *testing.T, z zone) *server {
	return serve(t, func(x query) [][]byte {
		m := z.answer(x, true)
		m.AuthenticData = true
		for _, n := range append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: x.q.Name}}) {
			s := n.Header.Name.String()
			m.AuthenticData = m.AuthenticData && !strings.Contains(strings.ToLower(s), "plain")
			if strings.Contains(strings.ToLower(s), "bogus") {
				m.RCode, m.Answers = dnsmessage.RCodeServerFailure, nil
			}
		}
		return [][]byte{pack(m)}
	})
}

func TestOnlyASignedAnswerOfATrustedServerIsSecure(t *testing.T) {
	s := signed(t, zone{
		mx("far.test", 1, "a.test"), mx("plain.test", 1, "a.test"),
		a("a.test", "10.0.0.1"), aaaa("six.test", "2001:db8::1"), a("plain-a.test", "10.0.0.1"),
		cname("alias.test", "a.test"), cname("out.test", "plain-a.test"), a("bogus.test", "10.0.0.1"),
		tlsa("_25._tcp.a.test", 3, 1, 1, 7, 8), tlsa("_25._tcp.a.test", 3, 1), cname("_25._tcp.six.test", "_25._tcp.a.test"),
		tlsa("_25._tcp.plain-a.test", 3, 1, 1, 7), tlsa("_25._tcp.bogus.test", 3, 1, 1, 7),
	})
	for _, trusted := range []bool{true, false} {
		r := resolver(s)
		r.conf.trusted = trusted
		for domain, secure := range map[string]bool{"far.test": true, "plain.test": false} {
			if got, err := r.MX(domain); err != nil || len(got) != 1 || got[0].Secure != (secure && trusted) {
				t.Errorf("%s: %v, %v", domain, got, err)
			}
		}
		for host, want := range map[string]string{
			"a.test": "a.test", "six.test": "six.test", "alias.test": "a.test", "plain-a.test": "", "out.test": "",
		} {
			if name, secure, err := r.Host(host); err != nil || secure != (want != "" && trusted) ||
				secure && name != want {
				t.Errorf("%s: %q, %v, %v", host, name, secure, err)
			}
		}
		if _, secure, err := r.Host("bogus.test"); err == nil || secure || errors.Is(err, ErrNotFound) {
			t.Errorf("a forged host: %v, %v", secure, err)
		}
		for _, host := range []string{"a.test", "six.test"} {
			got, err := r.TLSA(host, 25)
			if trusted && (err != nil || len(got) != 2 || got[0].Usage != 3 || string(got[0].Data) != "\x07\x08" ||
				got[1].Usage != 255) || !trusted && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v, %v", host, got, err)
			}
		}
		for _, host := range []string{"plain-a.test", "nobody.test"} {
			if got, err := r.TLSA(host, 25); !errors.Is(err, ErrNotFound) || len(got) > 0 {
				t.Errorf("%s: %v, %v", host, got, err)
			}
		}
		if _, err := r.TLSA("bogus.test", 25); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("forged records are none: %v", err)
		}
	}
}

func TestAServerIsTrustedOnThisMachineAndOnRequest(t *testing.T) {
	for conf, want := range map[string]bool{
		"": false, "nameserver 127.0.0.1\n": false, "options trust-ad\n": true,
		"nameserver 127.0.0.1\noptions edns0 trust-ad\n":                true,
		"options trust-ad\nnameserver ::1\nnameserver 127.0.0.53\n":     true,
		"nameserver 127.0.0.1\nnameserver 10.0.0.1\noptions trust-ad\n": false,
		"nameserver 10.0.0.1\noptions trust-ad\n":                       false,
		"nameserver 127.0.0.1\noptions trust-add\n":                     false,
	} {
		if got := parseConf([]byte(conf)).trusted; got != want {
			t.Errorf("%q: %v", conf, got)
		}
	}
}

func FuzzTLSA(f *testing.F) {
	f.Add([]byte{3, 1, 1, 0})
	f.Add([]byte{3, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r := parseTLSA(b); r.Usage != 255 && len(r.Data)+3 != len(b) {
			t.Errorf("%v of %v", r, b)
		}
	})
}
