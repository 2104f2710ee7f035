// Package ipme tells whether an address is one of this machine's own.
package ipme

import "net/netip"

// A Set holds addresses.
type Set map[netip.Addr]struct{}

// Mine returns the addresses of all interfaces, of both families.
func Mine() (Set, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	s := make(Set, len(list))
	for _, ip := range list {
		s[ip] = struct{}{}
	}
	return s, nil
}

// Has reports whether ip is in the set. The unspecified address is not, although the kernel
// takes it for this machine.
func (s Set) Has(ip netip.Addr) bool {
	_, ok := s[clean(ip)]
	return ok
}

// clean returns an address without its zone, and an IPv4 address in the guise of IPv6 as what it is.
func clean(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }
