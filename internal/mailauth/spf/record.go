package spf

import (
	"net/netip"
	"strconv"
	"strings"

	"qmail/internal/text/ascii"
)

// A record is one whose syntax is right from its beginning to its end.
type record struct {
	directives []directive
	redirect   string
	all        bool // there is an "all", and redirect does not count
}

// A directive says what the result is where a mechanism matches.
type directive struct {
	result    Status
	mechanism string
	domain    string // a macro string; empty: the domain of the record
	network   netip.Prefix
	bits4     int // less than 32: of the address, where there is not the same length in network
	bits6     int
}

// holds reports whether the client is in the network of one of the addresses.
func (d directive) holds(ip netip.Addr, list []netip.Addr) bool {
	bits := 32 - d.bits4
	if ip.Is6() {
		bits = 128 - d.bits6
	}
	for _, a := range list {
		if p, err := a.Unmap().Prefix(bits); err == nil && p.Contains(ip) {
			return true
		}
	}
	return false
}

// parse reads a record that begins with its version.
func parse(text string) (record, bool) {
	var r record
	exp := false
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			return r, false
		}
	}
	for i, term := range strings.Split(text, " ") {
		if i == 0 || term == "" {
			continue
		}
		if name, value, ok := modifier(term); ok {
			switch ascii.LowerString(name) {
			case "redirect":
				if r.redirect != "" || !isDomainSpec(value) {
					return r, false
				}
				r.redirect = value
			case "exp":
				if exp || !isDomainSpec(value) {
					return r, false
				}
				exp = true
			default:
				if !isMacroString(value, false) {
					return r, false
				}
			}
			continue
		}
		d, ok := parseDirective(term)
		if !ok {
			return r, false
		}
		r.all = r.all || d.mechanism == "all"
		r.directives = append(r.directives, d)
	}
	return r, true
}

// modifier splits name=value; of a directive there is no such name before the first equals sign.
func modifier(term string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(term, "=")
	if !ok || name == "" || !letter(name[0]) {
		return "", "", false
	}
	for i := 0; i < len(name); i++ {
		if !letter(name[i]) && !digit(name[i]) && strings.IndexByte("-_.", name[i]) < 0 {
			return "", "", false
		}
	}
	return name, value, true
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

func parseDirective(term string) (directive, bool) {
	d := directive{result: Pass}
	switch term[0] {
	case '+':
		term = term[1:]
	case '-':
		d.result, term = Fail, term[1:]
	case '~':
		d.result, term = SoftFail, term[1:]
	case '?':
		d.result, term = Neutral, term[1:]
	}
	end := strings.IndexAny(term, ":/")
	if end < 0 {
		end = len(term)
	}
	d.mechanism = ascii.LowerString(term[:end])
	rest := term[end:]
	value, given := strings.CutPrefix(rest, ":")
	switch d.mechanism {
	case "all":
		return d, rest == ""
	case "include", "exists":
		d.domain = value
		return d, given && isDomainSpec(value)
	case "ptr":
		d.domain = value
		return d, rest == "" || given && isDomainSpec(value)
	case "a", "mx":
		return d, d.hosts(rest)
	case "ip4", "ip6":
		var ok bool
		d.network, ok = network(value, d.mechanism == "ip4")
		return d, given && ok
	}
	return d, false
}

// hosts reads what stands behind a or mx: a domain or none, and the lengths of networks.
func (d *directive) hosts(s string) bool {
	if i := strings.LastIndex(s, "//"); i >= 0 && allDigits(s[i+2:]) {
		n, ok := length(s[i+2:], 128)
		if !ok {
			return false
		}
		d.bits6, s = 128-n, s[:i]
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 && allDigits(s[i+1:]) {
		n, ok := length(s[i+1:], 32)
		if !ok {
			return false
		}
		d.bits4, s = 32-n, s[:i]
	}
	if s == "" {
		return true
	}
	var given bool
	d.domain, given = strings.CutPrefix(s, ":")
	return given && isDomainSpec(d.domain)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return false
		}
	}
	return s != ""
}

// length reads the length of a network, which has no zero before it.
func length(s string, most int) (int, bool) {
	if !allDigits(s) || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= most
}

func network(s string, v4 bool) (netip.Prefix, bool) {
	address, bits, given := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != v4 || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	n := ip.BitLen()
	if given {
		var ok bool
		if n, ok = length(bits, n); !ok {
			return netip.Prefix{}, false
		}
	}
	if ip.Is4In6() {
		return netip.Prefix{}, true // no client has such an address: ours are unmapped
	}
	p, err := ip.Prefix(n)
	return p, err == nil
}
