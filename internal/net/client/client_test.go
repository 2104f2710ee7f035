package client

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"qmail/internal/text/tcpenv"
)

// connect returns both ends of a connection to l, the server's as a File.
func connect(t *testing.T, l net.Listener) (client net.Conn, server *os.File) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if server, err = s.(*net.TCPConn).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestBothEndsOfAConnectionAreTold(t *testing.T) {
	for host, proto := range map[string]string{"127.0.0.1": "TCP", "::1": "TCP6"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		defer l.Close()
		c, f := connect(t, l)
		got, err := Of(f, Options{}, os.DevNull)
		port := func(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }
		want := tcpenv.Conn{Proto: proto, LocalIP: host, LocalPort: port(l.Addr()), RemoteIP: host,
			RemotePort: port(c.LocalAddr())}
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestWhatIsNoConnectionIsAnError(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Of(f, Default(), os.DevNull); err == nil {
		t.Error("/dev/null was taken for a connection")
	}
}

func TestOptionsTravelAsArguments(t *testing.T) {
	for _, o := range []Options{Default(), {Ident: true}, {Ident: true, Timeout: time.Hour}} {
		if got, ok := ParseArgs(o.Args()); !ok || got != o {
			t.Errorf("%+v became %+v, %v", o, got, ok)
		}
	}
	for _, bad := range []string{"", "x", "-t", "-tx", "-x"} {
		if _, ok := ParseArgs([]string{bad}); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
