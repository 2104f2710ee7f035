package inet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

var errRoute = errors.New("malformed answer about a route")

// A Router asks the kernel where packets would go.
type Router struct{ fd int }

// OpenRouter opens the socket to ask by.
func OpenRouter() (*Router, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &Router{fd}, nil
}

// Close closes it.
func (r *Router) Close() { unix.Close(r.fd) }

// Stays reports whether what is sent to ip would stay on this machine: the kernel has a local or a broadcast route
// for it. No route at all is no such route.
func (r *Router) Stays(ip netip.Addr) (bool, error) {
	if err := unix.Sendto(r.fd, routeRequest(ip), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, os.NewSyscallError("sendto", err)
	}
	b := make([]byte, 4096)
	for {
		n, from, err := unix.Recvfrom(r.fd, b, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false, os.NewSyscallError("recvfrom", err)
		}
		if sa, ok := from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 {
			return parseRoute(b[:n])
		}
	}
}

// routeRequest is an RTM_GETROUTE of rtnetlink(7).
func routeRequest(ip netip.Addr) []byte {
	raw, family := ip.AsSlice(), byte(unix.AF_INET6)
	if ip.Is4() {
		family = unix.AF_INET
	}
	e := binary.NativeEndian
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg+unix.SizeofRtAttr, 64)
	e.PutUint16(b[4:], unix.RTM_GETROUTE)
	e.PutUint16(b[6:], unix.NLM_F_REQUEST)
	b[unix.SizeofNlMsghdr] = family
	b[unix.SizeofNlMsghdr+1] = byte(8 * len(raw))
	attr := b[unix.SizeofNlMsghdr+unix.SizeofRtMsg:]
	e.PutUint16(attr, uint16(unix.SizeofRtAttr+len(raw)))
	e.PutUint16(attr[2:], unix.RTA_DST)
	b = append(b, raw...)
	if zone := zoneID(ip.Zone()); zone != 0 {
		b = e.AppendUint16(b, unix.SizeofRtAttr+4)
		b = e.AppendUint16(b, unix.RTA_OIF)
		b = e.AppendUint32(b, zone)
	}
	e.PutUint32(b, uint32(len(b)))
	return b
}

// parseRoute reads the answer: a route, or an error of the kernel, which for a plain address means that there is no
// way.
func parseRoute(b []byte) (bool, error) {
	if len(b) < unix.SizeofNlMsghdr {
		return false, errRoute
	}
	switch t := binary.NativeEndian.Uint16(b[4:]); {
	case t == unix.NLMSG_ERROR:
		return false, nil
	case t != unix.RTM_NEWROUTE || len(b) < unix.SizeofNlMsghdr+unix.SizeofRtMsg:
		return false, errRoute
	}
	const typeAt = 7 // of struct rtmsg
	kind := b[unix.SizeofNlMsghdr+typeAt]
	return kind == unix.RTN_LOCAL || kind == unix.RTN_BROADCAST || kind == unix.RTN_ANYCAST, nil
}
