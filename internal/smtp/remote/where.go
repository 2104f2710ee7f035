package remote

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"qmail/internal/net/dns"
	"qmail/internal/text/report"
)

const (
	// maxHosts bounds the mail exchangers that are looked up, best first.
	maxHosts = 100
	// maxAddrs bounds the addresses that are tried, best first.
	maxAddrs = 100
	// parallel is how many lookups run at once.
	parallel = 8
)

var (
	errLookup    = report.Defer("4.1.2", "Sorry, I couldn't find any host by that name.")
	errNoMX      = report.Fail("5.4.4", "Sorry, I couldn't find a mail exchanger or IP address.")
	errAmbiguous = report.Fail("5.4.6", "Sorry. Although I'm listed as a best-preference MX or A for that host,\n"+
		"it isn't in my control/locals file, so I don't treat it as local.")
	errNoConnection = report.Defer("4.4.1", "Sorry, I wasn't able to establish an SMTP connection.")
)

// A candidate is an address that may take the message. Lower preferences are tried first.
type candidate struct {
	addr netip.AddrPort
	pref uint16
	name string
	sure bool // nobody but the DNS's signers or the administrator says that the host of this name takes this mail
}

// among reports whether a session is with one of the candidates that would be tried first.
func (c *course) among(list []candidate) func(*session) bool {
	return func(s *session) bool {
		return slices.ContainsFunc(list, func(x candidate) bool {
			return x.addr == s.peer && x.pref == list[0].pref && c.allows(s, x)
		})
	}
}

// candidates returns at least one address to try, in order.
func (m *Remote) candidates(t target) ([]candidate, error) {
	list, err := m.addresses(t)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.pref, b.pref) })
	if !t.relay {
		ips := make([]netip.Addr, len(list))
		for i, c := range list {
			ips[i] = c.addr.Addr()
		}
		ours, err := m.Ours(ips)
		if err != nil {
			return nil, errSystem
		}
		list = better(list, ours.Has)
		if len(list) == 0 {
			return nil, errAmbiguous
		}
	}
	return list[:min(len(list), maxAddrs)], nil
}

// better cuts a sorted list before the first preference at which one of our own addresses stands:
// what is no better than we are would send the message back here.
func better(list []candidate, mine func(netip.Addr) bool) []candidate {
	i := slices.IndexFunc(list, func(c candidate) bool { return mine(c.addr.Addr()) })
	if i < 0 {
		return list
	}
	first := slices.IndexFunc(list, func(c candidate) bool { return c.pref == list[i].pref })
	return list[:first]
}

func (m *Remote) addresses(t target) ([]candidate, error) {
	if ip, ok := literal(t.host); ok {
		return []candidate{{addr: netip.AddrPortFrom(ip, t.port), name: t.host}}, nil
	}
	r := m.Resolve()
	if t.relay {
		return hostOnly(r, t)
	}
	mxs, err := r.MX(t.host)
	if errors.Is(err, dns.ErrNotFound) {
		return hostOnly(r, t)
	}
	if err != nil {
		return nil, errLookup
	}
	slices.SortStableFunc(mxs, func(a, b dns.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	if mxs[0].Host == "." && len(mxs) == 1 {
		return nil, report.Fail("5.1.10", "Sorry, the domain "+printable(t.host)+" takes no mail: its MX is null.")
	}
	return exchangers(r, mxs[:min(len(mxs), maxHosts)], t.port)
}

// literal returns the address that a name is, with or without brackets. The DNS and smtproutes may have IPv6
// addresses without.
func literal(host string) (netip.Addr, bool) {
	if ip, ok := dns.Literal(host); ok {
		return ip, true
	}
	return dns.Literal("[" + host + "]")
}

// hostOnly looks up the host's own addresses.
func hostOnly(r Resolver, t target) ([]candidate, error) {
	ips, err := r.Addrs(t.host)
	if errors.Is(err, dns.ErrNotFound) {
		return nil, report.Fail("5.1.2", "Sorry, I couldn't find any host named "+printable(t.host)+".")
	}
	if err != nil {
		return nil, errLookup
	}
	return with(nil, ips, candidate{name: t.host, sure: true}, t.port), nil
}

func with(list []candidate, ips []netip.Addr, x candidate, port uint16) []candidate {
	for _, ip := range ips {
		x.addr = netip.AddrPortFrom(ip, port)
		list = append(list, x)
	}
	return list
}

// exchangers looks up the addresses of mail exchangers. Some are enough, whatever became of
// the others.
func exchangers(r Resolver, mxs []dns.MX, port uint16) ([]candidate, error) {
	ips := make([][]netip.Addr, len(mxs))
	errs := make([]error, len(mxs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, mx := range mxs {
		if ip, ok := literal(mx.Host); ok {
			ips[i] = []netip.Addr{ip}
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			ips[i], errs[i] = r.Addrs(mx.Host)
			<-slots
		})
	}
	wg.Wait()
	var list []candidate
	for i, mx := range mxs {
		list = with(list, ips[i], candidate{pref: mx.Pref, name: mx.Host, sure: mx.Secure}, port)
	}
	if len(list) > 0 {
		return list, nil
	}
	for _, err := range errs {
		if !errors.Is(err, dns.ErrNotFound) {
			return nil, errLookup
		}
	}
	return nil, errNoMX
}
