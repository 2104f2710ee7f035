package ipme

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestWhateverLeadsBackHereIsOurs(t *testing.T) {
	all := map[string]bool{
		"0.0.0.0": true, "0.1.2.3": true, "127.0.0.1": true, "127.0.3.1": true, "127.255.255.255": true,
		"::": true, "::1": true, "::1%lo": true, "::ffff:127.0.0.1": true, "::ffff:127.9.9.9": true,
		"::ffff:0.0.0.0": true, "192.0.2.1": false, "::ffff:192.0.2.1": false, "2001:db8::1": false,
	}
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range list {
		if ip.Is4() {
			all["::ffff:"+ip.String()] = true
		}
		if !ip.IsLinkLocalUnicast() { // without its zone it means no interface
			all[ip.String()] = true
		}
	}
	var ips []netip.Addr
	for s := range all {
		ips = append(ips, netip.MustParseAddr(s))
	}
	ours, err := Ours(ips)
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range all {
		if got := ours.Has(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: %v; want %v", s, got, want)
		}
	}
}

func TestConnectionThatComesBackWasToAnAddressOfOurs(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	for _, s := range []string{"0.0.0.0", "127.1.2.3", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "127.0.0.0"} {
		ip := netip.MustParseAddr(s)
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(ip, port).String(), time.Second)
		if err != nil {
			continue
		}
		c.Close()
		if ours, err := Ours([]netip.Addr{ip}); err != nil || !ours.Has(ip) {
			t.Errorf("%s leads here and is not ours: %v", s, err)
		}
	}
}
