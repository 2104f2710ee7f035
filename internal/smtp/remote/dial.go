package remote

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"qmail/internal/smtp/tcpto"
)

// Connect opens a TCP connection.
func Connect(to netip.AddrPort, within time.Duration) (net.Conn, error) {
	d := net.Dialer{Deadline: time.Now().Add(within), KeepAlive: -1}
	return d.Dial("tcp", to.String())
}

// dial connects to the first candidate that answers. One that timed out is remembered, so that
// others need not wait for it.
func (m *Remote) dial(list []candidate, j *job) (net.Conn, netip.AddrPort, error) {
	dead := m.Dead.Look()
	for _, x := range list {
		if x.addr.Port() == 0 || dead.Dead(x.addr.Addr(), j.now, m.Pid) {
			continue
		}
		c, err := m.Dial(x.addr, j.timeoutConnect)
		m.remember(dead, x.addr.Addr(), err)
		if err == nil {
			return c, x.addr, nil
		}
	}
	return nil, netip.AddrPort{}, errNoConnection
}

// remember keeps the table of dead hosts. Trouble with it is none: it only saves time.
func (m *Remote) remember(dead tcpto.View, ip netip.Addr, err error) {
	switch {
	case timedOut(err):
		m.Dead.TimedOut(ip, m.Now())
	case err != nil && !errors.Is(err, syscall.ECONNREFUSED):
	case dead.Counted(ip):
		m.Dead.Answered(ip)
	}
}

func timedOut(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
