// Package dns looks up names: MX, A, AAAA, PTR and CNAME, over UDP with EDNS0 and over TCP when
// an answer does not fit (RFC 1035, 6891, 7766), at the servers that /etc/resolv.conf names. It knows no
// hosts file.
//
// A lookup ends in one of three ways: an answer; ErrNotFound, which means that the DNS says there is
// no such name, or nothing of the wanted type at it; or any other error, which is temporary.
package dns

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"qmail/internal/text/ascii"
)

var (
	// ErrNotFound says that the name, or a record of the wanted type, does not exist.
	ErrNotFound = errors.New("no such name in the DNS")

	errLoop   = errors.New("too many CNAMEs")
	errServer = errors.New("DNS server failure")
	errNone   = errors.New("no DNS server answered")
)

const (
	// maxHops bounds the CNAMEs followed for one question.
	maxHops = 16
	// maxRecords bounds what one lookup returns. It must exceed what fits into an answer that any sane
	// domain gives; 64 kB of TCP could hold thousands.
	maxRecords = 256
)

// An MX is one mail exchanger. Host is "." for a null MX (RFC 7505): the domain takes no mail.
type MX struct {
	Pref uint16
	Host string // without the dot at its end, as it came
	// Secure says that DNSSEC vouches for it, by a server that we trust.
	Secure bool
}

// MX returns the mail exchangers of a domain, in the order of the answer.
func (r *Resolver) MX(domain string) ([]MX, error) {
	var list []MX
	end, err := r.follow(domain, dnsmessage.TypeMX, func(b dnsmessage.ResourceBody) {
		if mx, ok := b.(*dnsmessage.MXResource); ok {
			list = append(list, MX{Pref: mx.Pref, Host: undot(mx.MX.String())})
		}
	})
	for i := range list {
		list[i].Secure = end.secure
	}
	return list, err
}

// Addrs returns the addresses of a host, of both families. It fails only when neither question
// brought an address; a temporary failure then counts more than a missing name.
func (r *Resolver) Addrs(host string) ([]netip.Addr, error) {
	var v6 []netip.Addr
	done := make(chan error, 1)
	go func() {
		list, err := r.AAAA(host)
		v6 = list
		done <- err
	}()
	v4, err := r.A(host)
	if err6 := <-done; errors.Is(err, ErrNotFound) {
		err = err6
	}
	if list := append(v4, v6...); len(list) > 0 {
		return list, nil
	}
	return nil, err
}

// A returns the IPv4 addresses of a host.
func (r *Resolver) A(host string) ([]netip.Addr, error) {
	var list []netip.Addr
	err := r.lookup(host, dnsmessage.TypeA, func(b dnsmessage.ResourceBody) {
		if a, ok := b.(*dnsmessage.AResource); ok {
			list = append(list, netip.AddrFrom4(a.A))
		}
	})
	return list, err
}

// AAAA returns the IPv6 addresses of a host.
func (r *Resolver) AAAA(host string) ([]netip.Addr, error) {
	var list []netip.Addr
	err := r.lookup(host, dnsmessage.TypeAAAA, func(b dnsmessage.ResourceBody) {
		if a, ok := b.(*dnsmessage.AAAAResource); ok {
			list = append(list, netip.AddrFrom16(a.AAAA).Unmap())
		}
	})
	return list, err
}

// PTR returns the names of an address. Names that hold anything but letters, digits, hyphens, dots
// and underscores are left out: whoever owns the address chose them.
func (r *Resolver) PTR(ip netip.Addr) ([]string, error) {
	var list []string
	err := r.lookup(reverse(ip), dnsmessage.TypePTR, func(b dnsmessage.ResourceBody) {
		if p, ok := b.(*dnsmessage.PTRResource); ok {
			if name := undot(p.PTR.String()); isName(name) {
				list = append(list, name)
			}
		}
	})
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	return list, err
}

// TXT returns the texts at a name, the strings of each joined.
func (r *Resolver) TXT(name string) ([]string, error) {
	var list []string
	err := r.lookup(name, dnsmessage.TypeTXT, func(b dnsmessage.ResourceBody) {
		if t, ok := b.(*dnsmessage.TXTResource); ok {
			list = append(list, strings.Join(t.TXT, ""))
		}
	})
	return list, err
}

// Exists reports whether a name is in the DNS, with records of whatever type or with names below it.
func (r *Resolver) Exists(name string) (bool, error) {
	end, err := r.follow(name, dnsmessage.TypeA, func(dnsmessage.ResourceBody) {})
	if errors.Is(err, ErrNotFound) {
		return end.exists, nil
	}
	return err == nil, err
}

// Canonical follows the CNAMEs of a name to their end. A name that does not exist is ErrNotFound.
func (r *Resolver) Canonical(name string) (string, error) {
	end, err := r.canonical(name, dnsmessage.TypeA)
	if errors.Is(err, ErrNotFound) {
		return r.canonical(name, dnsmessage.TypeAAAA)
	}
	return end, err
}

// Search completes a host name by the domains of resolv.conf and returns the canonical name
// of the first completion that has an address.
func (r *Resolver) Search(host string) (string, error) {
	if ip, ok := Literal(host); ok {
		return ip.String(), nil
	}
	var soft error
	for _, name := range r.conf.candidates(host) {
		end, err := r.Canonical(name)
		if err == nil {
			return end, nil
		}
		if !errors.Is(err, ErrNotFound) {
			soft = err
		}
	}
	if soft != nil {
		return "", soft
	}
	return "", ErrNotFound
}

// Literal returns the address that s is: 1.2.3.4, [1.2.3.4], [2001:db8::1], [IPv6:2001:db8::1]. IPv6
// needs the brackets.
func Literal(s string) (netip.Addr, bool) {
	bracketed := len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']'
	if bracketed {
		s = s[1 : len(s)-1]
		const tag = "ipv6:"
		if len(s) > len(tag) && ascii.Equal(s[:len(tag)], tag) {
			s = s[len(tag):]
		}
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" || ip.Is6() && !bracketed {
		return netip.Addr{}, false
	}
	return ip.Unmap(), true
}

// reverse returns the name below which the PTR records of ip are.
func reverse(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return Reversed(ip) + "in-addr.arpa"
	}
	return Reversed(ip) + "ip6.arpa"
}

// Reversed returns the bytes of an IPv4 address, or the half bytes of an IPv6 address, the last one first and a dot
// behind each: so it stands before the name of a zone about addresses.
func Reversed(ip netip.Addr) string {
	const hex = "0123456789abcdef"
	var b []byte
	raw := ip.Unmap().AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		c := raw[i]
		if len(raw) == 4 {
			b = append(appendByte(b, c), '.')
		} else {
			b = append(b, hex[c&15], '.', hex[c>>4], '.')
		}
	}
	return string(b)
}

// appendByte appends c in decimal.
func appendByte(b []byte, c byte) []byte {
	if c >= 100 {
		b = append(b, '0'+c/100)
	}
	if c >= 10 {
		b = append(b, '0'+c/10%10)
	}
	return append(b, '0'+c%10)
}

// undot cuts the dot at the end of a name from the wire; the root stays ".".
func undot(s string) string {
	if len(s) > 1 && s[len(s)-1] == '.' {
		return s[:len(s)-1]
	}
	return s
}

// Askable reports whether s can be a name in the DNS that is worth a question: it has at least one dot, and no byte but
// letters, digits, hyphens and underscores besides.
func Askable(s string) bool { return len(s) <= 253 && strings.Contains(s, ".") && isName(s) }

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "" && s != "."
}
