package ipme

import (
	"net"
	"net/netip"
	"testing"
)

func TestEveryAddressOfThisMachineIsMine(t *testing.T) {
	mine, err := Mine()
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if !ok || !mine.Has(ip) {
			t.Errorf("%v is not mine", ip)
		}
	}
	if len(mine) > len(addrs) {
		t.Errorf("%v is more than %v", mine, addrs)
	}
}

func TestAddressOfAnyFormIsComparedAsWhatItIs(t *testing.T) {
	s := Set{netip.MustParseAddr("127.0.0.1"): {}, netip.MustParseAddr("fe80::1"): {}}
	for ip, want := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "fe80::1%eth0": true,
		"0.0.0.0": false, "::": false, "127.0.0.2": false, "10.0.0.1": false,
	} {
		if s.Has(netip.MustParseAddr(ip)) != want {
			t.Errorf("%s: not %v", ip, want)
		}
	}
}
