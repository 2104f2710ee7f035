//go:build !linux

package ipme

import (
	"net"
	"net/netip"
)

// List returns the addresses of all interfaces.
func List() ([]netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok {
			list = append(list, clean(ip))
		}
	}
	return list, nil
}
