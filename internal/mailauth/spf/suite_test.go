package spf

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"qmail/internal/net/dns"
)

// A scenario is a document of the suite of RFC 7208: tests, and the zone that they ask.
type scenario struct {
	Description string
	Tests       map[string]struct {
		Helo     string
		Host     string
		Mailfrom string
		Result   any // one or several
	}
	Zonedata map[string][]any // each a map of one type and its value, or "TIMEOUT"
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc7208-tests.yml")
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario
	for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var s scenario
		if d.Decode(&s) != nil {
			break
		}
		all = append(all, s)
	}
	return all
}

// A zone answers from a scenario's data.
type zone map[string]map[string][]any

var errDown = errors.New("no answer")

func newZone(s scenario) zone {
	z := zone{}
	for name, records := range s.Zonedata {
		types := map[string][]any{}
		for _, r := range records {
			m, ok := r.(map[string]any)
			if !ok {
				types["TIMEOUT"] = append(types["TIMEOUT"], r)
				continue
			}
			for k, v := range m {
				types[k] = append(types[k], v)
			}
		}
		// Records of the type SPF stand for those of TXT, unless there are such.
		if types["TXT"] == nil {
			types["TXT"] = types["SPF"]
		} else if slices.Contains(types["TXT"], any("NONE")) {
			delete(types, "TXT")
		}
		z[strings.ToLower(name)] = types
	}
	return z
}

// records follows CNAMEs to the records of a type.
func (z zone) records(name, kind string) ([]any, error) {
	for range 8 {
		types, ok := z[strings.ToLower(strings.TrimSuffix(name, "."))]
		if !ok {
			return nil, dns.ErrNotFound
		}
		if r := types[kind]; len(r) > 0 {
			return r, nil
		}
		if len(types["TIMEOUT"]) > 0 {
			return nil, errDown
		}
		c := types["CNAME"]
		if len(c) == 0 {
			return nil, dns.ErrNotFound
		}
		name = c[0].(string)
	}
	return nil, errDown
}

func (z zone) TXT(name string) (list []string, err error) {
	records, err := z.records(name, "TXT")
	for _, r := range records {
		switch v := r.(type) {
		case string:
			list = append(list, v)
		case []any:
			joined := ""
			for _, p := range v {
				joined += p.(string)
			}
			list = append(list, joined)
		}
	}
	return list, err
}

func (z zone) MX(name string) (list []dns.MX, err error) {
	records, err := z.records(name, "MX")
	for _, r := range records {
		v := r.([]any)
		list = append(list, dns.MX{Pref: uint16(v[0].(int)), Host: v[1].(string)})
	}
	return list, err
}

func (z zone) A(host string) ([]netip.Addr, error)    { return z.addrs(host, "A") }
func (z zone) AAAA(host string) ([]netip.Addr, error) { return z.addrs(host, "AAAA") }

func (z zone) addrs(host, kind string) (list []netip.Addr, err error) {
	records, err := z.records(host, kind)
	for _, r := range records {
		list = append(list, netip.MustParseAddr(r.(string)))
	}
	return list, err
}

func (z zone) PTR(ip netip.Addr) (list []string, err error) {
	c := &check{ip: ip}
	parts := strings.Split(dotted(c), ".")
	slices.Reverse(parts)
	suffix := ".in-addr.arpa"
	if ip.Is6() {
		suffix = ".ip6.arpa"
	}
	records, err := z.records(strings.Join(parts, ".")+suffix, "PTR")
	for _, r := range records {
		list = append(list, r.(string))
	}
	return list, err
}

func TestSuiteOfRFC7208(t *testing.T) {
	n := 0
	for _, s := range scenarios(t) {
		z := newZone(s)
		for name, c := range s.Tests {
			n++
			var want []string
			switch v := c.Result.(type) {
			case string:
				want = []string{v}
			case []any:
				for _, w := range v {
					want = append(want, w.(string))
				}
			}
			got := Check(z, netip.MustParseAddr(c.Host), c.Helo, c.Mailfrom)
			if !slices.Contains(want, string(got.Status)) {
				t.Errorf("%s, %s: %s, want %v", s.Description, name, got.Status, want)
			}
		}
	}
	if n != 203 {
		t.Errorf("%d tests were found", n)
	}
}
