package ipme

import (
	"net/netip"
	"syscall"
)

// List returns the addresses of all interfaces, in the kernel's order.
func List() ([]netip.Addr, error) {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	return parseRIB(rib)
}

// parseRIB reads the kernel's answer, RTM_NEWADDR messages of rtnetlink(7).
func parseRIB(rib []byte) ([]netip.Addr, error) {
	msgs, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for i := range msgs {
		m := &msgs[i]
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		// Attributes are aligned, which the parser takes for granted; behind a message there is room for that.
		m.Data = m.Data[:(len(m.Data)+syscall.NLMSG_ALIGNTO-1)&^(syscall.NLMSG_ALIGNTO-1)]
		attrs, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, err
		}
		if ip, ok := own(attrs); ok {
			list = append(list, ip)
		}
	}
	return list, nil
}

// own picks this end's address: at a point-to-point link IFA_ADDRESS is the other end's and
// IFA_LOCAL ours; where there is no IFA_LOCAL, as for most of IPv6, IFA_ADDRESS is ours.
func own(attrs []syscall.NetlinkRouteAttr) (ip netip.Addr, ok bool) {
	for _, a := range attrs {
		x, valid := netip.AddrFromSlice(a.Value)
		switch {
		case !valid:
		case a.Attr.Type == syscall.IFA_LOCAL:
			return clean(x), true
		case a.Attr.Type == syscall.IFA_ADDRESS:
			ip, ok = clean(x), true
		}
	}
	return ip, ok
}
