package remote

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// deaf returns an address at which connections are neither taken nor refused: a listener's full queue.
func deaf(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port))
	for range 8 {
		c, err := net.DialTimeout("tcp", to.String(), 100*time.Millisecond)
		if err != nil {
			return to
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the queue of a listener is never full here")
	return to
}

func TestConnectionThatTimesOutIsTold(t *testing.T) {
	to := deaf(t)
	start := time.Now()
	_, err := Connect(context.Background(), to, 300*time.Millisecond)
	if d := time.Since(start); !timedOut(err) || d < 200*time.Millisecond || d > 3*time.Second {
		t.Error(err, d)
	}
	if _, err := Connect(context.Background(), netip.MustParseAddrPort("127.0.0.1:1"), time.Second); err == nil ||
		timedOut(err) {
		t.Error(err)
	}
}

func TestAConnectionSendsSmallPiecesAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Connect(context.Background(), netip.MustParseAddrPort(l.Addr().String()), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY); v == 0 || err != nil {
			t.Errorf("TCP_NODELAY is %d, %v: commands wait for the acknowledgement of those before", v, err)
		}
	})
}
