// Package inet has the TCP and UDP sockets of the Internet. It is apart from package sys since net/netip takes time
// at every start.
package inet

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"qmail/internal/sys"
)

// ErrNotTCP says that a socket has no Internet addresses.
var ErrNotTCP = errors.New("not a TCP socket")

// Ends returns the addresses of both ends of a connection. An IPv4 address in the guise of IPv6 is given as
// what it is.
func Ends(f *os.File) (local, remote netip.AddrPort, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return local, remote, err
	}
	var here, there unix.Sockaddr
	var got error
	err = rc.Control(func(fd uintptr) {
		if here, got = unix.Getsockname(int(fd)); got == nil {
			there, got = unix.Getpeername(int(fd))
		}
	})
	if err == nil {
		err = os.NewSyscallError("getsockname", got)
	}
	if err != nil {
		return local, remote, err
	}
	local, ok := addrPort(here)
	remote, ok2 := addrPort(there)
	if !ok || !ok2 {
		return local, remote, ErrNotTCP
	}
	return local, remote, nil
}

func addrPort(sa unix.Sockaddr) (ap netip.AddrPort, ok bool) {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port)), true
	}
	return ap, false
}

func sockaddr(ap netip.AddrPort) (family int, sa unix.Sockaddr) {
	ip := ap.Addr().Unmap()
	if ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ip.As16(), ZoneId: zoneID(ip.Zone())}
}

// zoneID returns the number of an interface, which the zone of an address names or is.
func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil || zone == "" {
		return uint32(n)
	}
	b, _ := os.ReadFile("/sys/class/net/" + filepath.Base(zone) + "/ifindex")
	n, _ := strconv.ParseUint(strings.TrimRight(string(b), "\n"), 10, 32)
	return uint32(n)
}

// Connect makes a TCP connection from the address local, unless that is the zero value, and waits at most d:
// os.ErrDeadlineExceeded is for a host that does not answer. Reads and writes of the File can have deadlines.
func Connect(local netip.Addr, remote netip.AddrPort, d time.Duration) (*os.File, error) {
	family, to := sockaddr(remote)
	fd, err := sys.Socket(family, unix.SOCK_STREAM)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if local.IsValid() {
		_, from := sockaddr(netip.AddrPortFrom(local, 0))
		if err := unix.Bind(fd, from); err != nil {
			unix.Close(fd)
			return nil, os.NewSyscallError("bind", err)
		}
	}
	if err := connect(fd, to, d); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), remote.String()), nil
}

func connect(fd int, to unix.Sockaddr, d time.Duration) error {
	err := unix.Connect(fd, to)
	if err == nil {
		return nil
	}
	if err != unix.EINPROGRESS && err != unix.EINTR {
		return timedOut(err)
	}
	end := time.Now().Add(d)
	for {
		ms := int(max(0, time.Until(end)).Milliseconds())
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, ms)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if n == 0 {
			return os.ErrDeadlineExceeded
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		return timedOut(err)
	}
}

func timedOut(err error) error {
	if err == unix.ETIMEDOUT {
		return os.ErrDeadlineExceeded
	}
	return os.NewSyscallError("connect", err)
}

// Accept waits for a connection, and tells where it comes from. The File blocks.
func Accept(l *sys.Listener) (*os.File, netip.AddrPort, error) {
	f, from, err := l.Accept()
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	ap, _ := addrPort(from)
	return f, ap, nil
}

// ConnectUDP makes a UDP socket that speaks to one address and hears from no other. Reads and writes of the File
// can have deadlines.
func ConnectUDP(remote netip.AddrPort) (*os.File, error) {
	family, to := sockaddr(remote)
	fd, err := sys.Socket(family, unix.SOCK_DGRAM)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, to); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return os.NewFile(uintptr(fd), remote.String()), nil
}
