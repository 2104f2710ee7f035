package inet

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestConnectFromAnAddressAndWhatItsEndsAre(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		defer l.Close()
		to := l.Addr().(*net.TCPAddr).AddrPort()
		f, err := Connect(to.Addr(), to, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		local, remote, err := Ends(f)
		if err != nil || remote != to || local.Addr() != to.Addr() {
			t.Errorf("%v, %v, %v; want %v", local, remote, err, to)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, _, err := Ends(null); err == nil {
		t.Error("/dev/null is no connection")
	}
}

func TestConnectToNobodyIsAnErrorAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	start := time.Now()
	if _, err := Connect(to.Addr(), to, 10*time.Second); err == nil || os.IsTimeout(err) ||
		time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
