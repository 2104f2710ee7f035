package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// dnsmasq starts a real server at a free port.
func dnsmasq(t *testing.T, records ...string) *Resolver {
	t.Helper()
	testqmail.Need(t, "dnsmasq")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	args := append(
		[]string{"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=" + filepath.Join(t.TempDir(), "pid"),
			"--no-resolv", "--no-hosts", "--local=/test/", "--local=/arpa/", "--listen-address=127.0.0.1", "--bind-interfaces",
			"--edns-packet-max=1232", "--user=", "--group=", fmt.Sprint("--port=", addr.Port())},
		records...)
	cmd := exec.Command("dnsmasq", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	r := &Resolver{conf: config{servers: []netip.AddrPort{addr}, timeout: time.Second, attempts: 2, ndots: 1}}
	poll.Until(t, "dnsmasq answers", func() bool {
		_, err := r.Addrs("nothing.test")
		return err == ErrNotFound
	})
	return r
}

func TestRealServerIsUnderstood(t *testing.T) {
	records := []string{
		"--mx-host=far.test,mx1.far.test,10", "--mx-host=far.test,mx2.far.test,20", "--cname=www.far.test,mx1.far.test",
		"--host-record=mx1.far.test,10.0.0.1,2001:db8::1", "--host-record=mx2.far.test,10.0.0.2",
	}
	for i := range 100 {
		records = append(records, fmt.Sprintf("--mx-host=many.test,a-host-with-a-long-name-%d.far.test,%d", i, i))
	}
	r := dnsmasq(t, records...)
	second := MX{Pref: 20, Host: "mx2.far.test"}
	if got, err := r.MX("far.test"); err != nil || len(got) != 2 || !slices.Contains(got, second) {
		t.Error(got, err)
	}
	if got, err := r.MX("many.test"); err != nil || len(got) != 100 {
		t.Error(len(got), err)
	}
	if got, err := r.MX("mx1.far.test"); err != ErrNotFound {
		t.Error(got, err)
	}
	if got, err := r.Addrs("www.far.test"); err != nil || !slices.Equal(got, addrs("10.0.0.1", "2001:db8::1")) {
		t.Error(got, err)
	}
	if got, err := r.Canonical("www.far.test"); err != nil || got != "mx1.far.test" {
		t.Error(got, err)
	}
	if got, err := r.PTR(netip.MustParseAddr("2001:db8::1")); err != nil || !slices.Equal(got, []string{"mx1.far.test"}) {
		t.Error(got, err)
	}
	if got, err := r.PTR(netip.MustParseAddr("10.0.0.9")); err != ErrNotFound {
		t.Error(got, err)
	}
}
