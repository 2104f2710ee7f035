package ipme

import (
	"net/netip"

	"qmail/internal/sys/inet"
)

// Ours returns those of the addresses at which a connection would come back to this machine, in whatever form they
// are written: loopback and "this host" (RFC 6890), and what the kernel keeps here; where the kernel cannot be
// asked, the addresses of the interfaces.
func Ours(ips []netip.Addr) (Set, error) {
	ours := make(Set)
	var mine Set
	router, err := inet.OpenRouter()
	if err == nil {
		defer router.Close()
	} else if mine, err = Mine(); err != nil {
		return nil, err
	}
	for _, ip := range ips {
		stays := here(clean(ip)) || mine.Has(ip)
		if !stays && router != nil {
			if stays, err = router.Stays(ip.Unmap()); err != nil {
				return nil, err
			}
		}
		if stays {
			ours[clean(ip)] = struct{}{}
		}
	}
	return ours, nil
}

// here reports whether an address means this machine to every system that takes it at all.
func here(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsUnspecified() || ip.Is4() && ip.As4()[0] == 0
}
