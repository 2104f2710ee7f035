package spf

import (
	"net/netip"
	"strings"
	"testing"

	"qmail/internal/net/dns"
)

// counting counts questions, and answers TXT from a map and everything else with nothing.
type counting struct {
	texts map[string]string
	asked int
}

func (c *counting) TXT(name string) ([]string, error) {
	c.asked++
	if t, ok := c.texts[name]; ok {
		return []string{t}, nil
	}
	return nil, dns.ErrNotFound
}

func (c *counting) MX(string) ([]dns.MX, error) { c.asked++; return nil, dns.ErrNotFound }
func (c *counting) A(string) ([]netip.Addr, error) {
	c.asked++
	return []netip.Addr{netip.MustParseAddr("192.0.2.9")}, nil
}
func (c *counting) AAAA(string) ([]netip.Addr, error) { c.asked++; return nil, dns.ErrNotFound }
func (c *counting) PTR(netip.Addr) ([]string, error)  { c.asked++; return nil, dns.ErrNotFound }
func ask(c *counting, helo, sender string) Result     { return Check(c, client, helo, sender) }

var client = netip.MustParseAddr("192.0.2.1")

func TestNoRecordMakesUsAskMuch(t *testing.T) {
	for what, record := range map[string]string{
		"a record that includes itself":   "v=spf1 include:loop.example -all",
		"a record that goes on at itself": "v=spf1 redirect=loop.example",
		"many terms":                      "v=spf1" + strings.Repeat(" a:x.example", 5000) + " -all",
		"two includes of itself":          "v=spf1 include:loop.example include:loop.example -all",
		"names that are not there":        "v=spf1" + strings.Repeat(" mx:x.example", 5000) + " -all",
	} {
		c := &counting{texts: map[string]string{"loop.example": record}}
		if r := ask(c, "x", "joe@loop.example"); r.Status != PermError || c.asked > 12 {
			t.Errorf("%s: %s after %d questions", what, r.Status, c.asked)
		}
	}
}

func TestMacrosOfALongAddressStayShort(t *testing.T) {
	record := "v=spf1 exists:" + strings.Repeat("%{l}", 15000) + ".x.example"
	c := &counting{texts: map[string]string{"big.example": record}}
	if r := ask(c, "x", strings.Repeat("y", 900)+"@big.example"); r.Status != PermError || c.asked > 1 {
		t.Errorf("%s after %d questions", r.Status, c.asked)
	}
}

func TestDomainOfAnAddressIsBehindItsLastAtSign(t *testing.T) {
	c := &counting{texts: map[string]string{"x.example": "v=spf1 ip4:192.0.2.1 -all"}}
	if r := ask(c, "h", `"a@b"@x.example`); r != (Result{Status: Pass, Domain: "x.example"}) {
		t.Error(r)
	}
}

func TestAnEmptySenderIsCheckedByItsHELO(t *testing.T) {
	c := &counting{texts: map[string]string{"mail.example": "v=spf1 -all"}}
	if r := ask(c, "Mail.Example", ""); r != (Result{Status: Fail, Domain: "mail.example", Helo: true}) {
		t.Error(r)
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"v=spf1 a:%{ir2.-}.x.example/24//64 -all", "v=spf1 redirect=%{d} exp=%%%_%-.x.y",
		"v=spf1 ip6:::1/0 mx// ptr:%{p}"} {
		f.Add(s, "joe+x-y@a.example")
	}
	f.Fuzz(func(t *testing.T, record, sender string) {
		c := &counting{texts: map[string]string{"a.example": "v=spf1 " + record}}
		Check(c, client, "helo.example", sender)
		if c.asked > 40 {
			t.Errorf("%d questions", c.asked)
		}
	})
}
