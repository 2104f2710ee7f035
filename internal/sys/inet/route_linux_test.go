package inet

import (
	"net/netip"
	"testing"
)

func TestKernelSaysWhatStaysOnThisMachine(t *testing.T) {
	r, err := OpenRouter()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for s, want := range map[string]bool{
		"127.0.0.1": true, "127.0.3.1": true, "127.255.255.254": true, "127.255.255.255": true, "::1": true,
		"192.0.2.1": false, "2001:db8::1": false,
	} {
		if got, err := r.Stays(netip.MustParseAddr(s)); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add(routeRequest(netip.MustParseAddr("127.0.0.1")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if stays, err := parseRoute(b); stays && (err != nil || len(b) < 24) {
			t.Errorf("%v, %v", stays, err)
		}
	})
}
