// Package spf says whether a host may send mail for a domain, as the domain's record has it: RFC 7208. Explanations
// (exp=) are not fetched: no text of a stranger's is passed on.
package spf

import (
	"errors"
	"net/netip"
	"strings"

	"qmail/internal/net/dns"
	"qmail/internal/text/ascii"
)

// A Status is a result as RFC 7208 names it, section 2.6.
type Status string

const (
	None      Status = "none"
	Neutral   Status = "neutral"
	Pass      Status = "pass"
	Fail      Status = "fail"
	SoftFail  Status = "softfail"
	TempError Status = "temperror"
	PermError Status = "permerror"
)

const (
	maxTerms = 10 // that ask the DNS: section 4.6.4
	maxVoid  = 2  // questions without an answer: the same
	maxNames = 10 // of an MX or a PTR
)

// A Resolver asks the DNS. An error that is dns.ErrNotFound says that there is no such record.
type Resolver interface {
	TXT(name string) ([]string, error)
	MX(name string) ([]dns.MX, error)
	A(host string) ([]netip.Addr, error)
	AAAA(host string) ([]netip.Addr, error)
	PTR(ip netip.Addr) ([]string, error)
}

// A Result is what became of a check.
type Result struct {
	Status Status
	Domain string // whose record was asked; empty: there is no domain
	Helo   bool   // that is the name in HELO, since the sender was empty
}

// Check says whether ip may send mail with an envelope sender; helo is the name in HELO, whose domain counts where the
// sender is empty.
func Check(r Resolver, ip netip.Addr, helo, sender string) Result {
	c := &check{r: r, ip: ip.Unmap(), helo: helo, local: "postmaster", origin: sender}
	if i := strings.LastIndexByte(sender, '@'); i >= 0 {
		c.origin = sender[i+1:]
		if i > 0 {
			c.local = sender[:i]
		}
	}
	if sender == "" {
		c.origin = helo
	}
	c.origin = strings.TrimSuffix(c.origin, ".")
	res := Result{Status: None, Helo: sender == ""}
	if !isDomain(c.origin) {
		return res
	}
	res.Domain = ascii.LowerString(c.origin)
	res.Status = c.host(res.Domain)
	return res
}

// isDomain reports whether a record can be asked for: two labels or more, each of 1 to 63 bytes.
func isDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") || s[0] == '[' {
		return false
	}
	for _, l := range strings.Split(s, ".") {
		if l == "" || len(l) > 63 {
			return false
		}
	}
	return true
}

// A check is one evaluation, with the records that it leads to.
type check struct {
	r      Resolver
	ip     netip.Addr
	helo   string
	local  string
	origin string // the domain of the sender
	terms  int    // that asked the DNS
	void   int    // questions that had no answer
	names  []string
	named  bool // names has been looked up
}

// errDone ends an evaluation with a status.
type errDone struct{ status Status }

func (e errDone) Error() string { return string(e.status) }

var (
	errPerm = errDone{PermError}
	errTemp = errDone{TempError}
)

// host is check_host() of the RFC.
func (c *check) host(domain string) Status {
	status, err := c.evaluate(domain)
	if err != nil {
		var done errDone
		if errors.As(err, &done) {
			return done.status
		}
		return TempError
	}
	return status
}

func (c *check) evaluate(domain string) (Status, error) {
	text, status := c.fetch(domain)
	if text == "" {
		return status, nil
	}
	rec, ok := parse(text)
	if !ok {
		return PermError, nil
	}
	for _, d := range rec.directives {
		match, err := c.match(d, domain)
		if err != nil {
			return "", err
		}
		if match {
			return d.result, nil
		}
	}
	if rec.redirect == "" || rec.all {
		return Neutral, nil
	}
	if err := c.term(); err != nil {
		return "", err
	}
	next, err := c.expand(rec.redirect, domain)
	if err != nil {
		return "", err
	}
	if !isDomain(next) {
		return PermError, nil
	}
	if status = c.host(next); status == None {
		return PermError, nil
	}
	return status, nil
}

// fetch returns the record of a domain, or the status where there is not exactly one.
func (c *check) fetch(domain string) (string, Status) {
	texts, err := c.r.TXT(domain)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		return "", TempError
	}
	found, status := "", None
	for _, t := range texts {
		const version = "v=spf1"
		if len(t) < len(version) || !ascii.Equal(t[:len(version)], version) {
			continue
		}
		if len(t) > len(version) && t[len(version)] != ' ' {
			continue
		}
		if found != "" {
			return "", PermError
		}
		found = t
	}
	return found, status
}

// term counts a term that asks the DNS.
func (c *check) term() error {
	if c.terms++; c.terms > maxTerms {
		return errPerm
	}
	return nil
}

// found sorts the error of a lookup: a name that is not there is no error, but there may not be many.
func (c *check) found(err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, dns.ErrNotFound) {
		return errTemp
	}
	if c.void++; c.void > maxVoid {
		return errPerm
	}
	return nil
}

// addrs returns the addresses of a host of the family of the client.
func (c *check) addrs(host string) ([]netip.Addr, error) {
	if c.ip.Is4() {
		return c.r.A(host)
	}
	return c.r.AAAA(host)
}

// match evaluates one mechanism.
func (c *check) match(d directive, domain string) (bool, error) {
	switch d.mechanism {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return d.network.Contains(c.ip), nil
	}
	if err := c.term(); err != nil {
		return false, err
	}
	target := domain
	if d.domain != "" {
		var err error
		if target, err = c.expand(d.domain, domain); err != nil {
			return false, err
		}
	}
	switch d.mechanism {
	case "include":
		return c.include(target)
	case "a":
		return c.address(d, target)
	case "mx":
		return c.exchanger(d, target)
	case "exists":
		_, err := c.r.A(target)
		return err == nil, c.found(err)
	}
	return c.pointer(target)
}

func (c *check) include(domain string) (bool, error) {
	if !isDomain(domain) {
		return false, errPerm
	}
	switch status := c.host(domain); status {
	case Pass:
		return true, nil
	case Fail, SoftFail, Neutral:
		return false, nil
	case TempError:
		return false, errTemp
	}
	return false, errPerm
}

func (c *check) address(d directive, host string) (bool, error) {
	list, err := c.addrs(host)
	if err := c.found(err); err != nil {
		return false, err
	}
	return d.holds(c.ip, list), nil
}

func (c *check) exchanger(d directive, domain string) (bool, error) {
	list, err := c.r.MX(domain)
	if err := c.found(err); err != nil {
		return false, err
	}
	if len(list) > maxNames {
		return false, errPerm
	}
	for _, mx := range list {
		if ok, err := c.address(d, mx.Host); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// pointer evaluates ptr: a name of the client's address that leads back to it is the domain or below it.
func (c *check) pointer(domain string) (bool, error) {
	names, err := c.validated()
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if ascii.Equal(n, domain) || below(n, domain) {
			return true, nil
		}
	}
	return false, nil
}

// validated returns the names of the client's address that lead back to it. A failure means that there are none.
func (c *check) validated() ([]string, error) {
	if c.named {
		return c.names, nil
	}
	c.named = true
	list, err := c.r.PTR(c.ip)
	if errors.Is(err, dns.ErrNotFound) {
		return nil, c.found(err)
	}
	for _, name := range list[:min(len(list), maxNames)] {
		addrs, err := c.addrs(name)
		if err == nil && (directive{}).holds(c.ip, addrs) {
			c.names = append(c.names, name)
		}
	}
	return c.names, nil
}

func below(name, domain string) bool {
	i := len(name) - len(domain)
	return i > 0 && name[i-1] == '.' && ascii.Equal(name[i:], domain)
}
