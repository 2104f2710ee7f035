package listener

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

// TestMain is the program that serves a connection when it is started as that: it tells what it was given, and says
// each line again.
func TestMain(m *testing.M) {
	if os.Getenv("LISTENER_TEST") == "" {
		os.Exit(m.Run())
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	var open []string // that are sockets
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			open = append(open, fd.Name())
		}
	}
	os.Stdout.WriteString(strings.Join(os.Args[1:], " ") + " " + strings.Join(open, ",") + "\n")
	io.Copy(os.Stdout, os.Stdin)
	os.Exit(0)
}

// start serves on a socket of its own. finished is closed when Serve has returned.
func start(t *testing.T, limit, perAddress int) (address string, stop chan struct{}, finished chan struct{}) {
	t.Helper()
	return serve(t, Service{Limit: limit, PerAddress: perAddress, Log: os.Stderr})
}

func serve(t *testing.T, s Service) (address string, stop chan struct{}, finished chan struct{}) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	tcp.Close()
	if !sys.IsListening(fd) {
		t.Fatal("the socket does not listen")
	}
	l, err := sys.NewListener(fd)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The race detector would let a process wait at its end, for longer than the grace of these tests.
	s.Env, s.Path, s.Command = []string{"LISTENER_TEST=1", "GORACE=atexit_sleep_ms=0"}, self, []string{"a", "b"}
	stop, finished = make(chan struct{}), make(chan struct{})
	go func() { s.Serve([]*sys.Listener{l}, stop); close(finished) }()
	t.Cleanup(func() {
		select {
		case <-stop:
		default:
			close(stop)
		}
	})
	return tcp.Addr().String(), stop, finished
}

type caller struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address, from string) caller {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(poll.Limit))
	t.Cleanup(func() { c.Close() })
	return caller{c, bufio.NewReader(c)}
}

func (c caller) line() string { s, _ := c.r.ReadString('\n'); return s }

func (c caller) waits(d time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(d))
	defer c.SetReadDeadline(time.Now().Add(poll.Limit))
	_, err := c.r.Peek(1)
	return os.IsTimeout(err)
}

func TestProgramGetsItsArgumentsAndNoSocketButTheConnection(t *testing.T) {
	address, _, _ := start(t, 5, 5)
	c := dial(t, address, "127.0.0.1")
	got := c.line()
	if got != "-R a b 0,1\n" {
		t.Errorf("%q", got)
	}
	io.WriteString(c, "hello\n")
	if got := c.line(); got != "hello\n" {
		t.Errorf("%q", got)
	}
	c.Conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		t.Errorf("%q, %v: the connection should have ended with the program", b, err)
	}
}

func TestConnectionsPastTheLimitWait(t *testing.T) {
	address, _, _ := start(t, 2, 2)
	a, b := dial(t, address, "127.0.1.1"), dial(t, address, "127.0.1.1")
	a.line()
	b.line()
	c := dial(t, address, "127.0.2.1")
	if !c.waits(300 * time.Millisecond) {
		t.Error("a third was served")
	}
	a.Close()
	if c.line() == "" {
		t.Error("the third was never served")
	}
}

func TestConnectionsPastTheLimitOfAnAddressAreClosed(t *testing.T) {
	address, _, _ := start(t, 10, 2)
	a, b := dial(t, address, "127.0.0.1"), dial(t, address, "127.0.0.1")
	a.line()
	b.line()
	if got := dial(t, address, "127.0.0.1").line(); got != "" {
		t.Errorf("a third was served: %q", got)
	}
	if dial(t, address, "127.0.0.2").line() == "" {
		t.Error("another address was not served")
	}
	a.Conn.(*net.TCPConn).CloseWrite()
	io.ReadAll(a.r)
	poll.Until(t, "the address is served again", func() bool { return dial(t, address, "127.0.0.1").line() != "" })
}

func TestSessionsThatRunAreFinishedAfterTheStop(t *testing.T) {
	address, stop, finished := start(t, 5, 5)
	c := dial(t, address, "127.0.0.1")
	c.line()
	close(stop)
	select {
	case <-finished:
		t.Error("it returned before the session had ended")
	case <-time.After(50 * time.Millisecond):
	}
	io.WriteString(c, "still there\n")
	if got := c.line(); got != "still there\n" {
		t.Errorf("%q", got)
	}
	select {
	case <-finished:
		t.Error("it returned before the session had ended")
	default:
	}
	c.Close()
	select {
	case <-finished:
	case <-time.After(poll.Limit):
		t.Error("it never returned")
	}
}

func TestIPv6AddressesAreCountedByNetwork(t *testing.T) {
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1")
	if network(a) != network(b) || network(a) == network(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("a network is 64 bits")
	}
	if v4 := netip.MustParseAddr("10.0.0.1"); network(v4) != v4 {
		t.Error("an IPv4 address is one client")
	}
	c, d := netip.MustParseAddr("2001:db8:0:2::"), netip.MustParseAddr("10.0.0.200")
	if blockOf(network(a)) != blockOf(c) || blockOf(c) == blockOf(netip.MustParseAddr("2001:db8:1::")) ||
		blockOf(d) != blockOf(netip.MustParseAddr("10.0.0.1")) || blockOf(d) == blockOf(netip.MustParseAddr("10.0.1.1")) {
		t.Error("one client may have 48 bits of IPv6, and 24 of IPv4")
	}
}
