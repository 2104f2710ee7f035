package ipme

import (
	"syscall"
	"testing"
)

func FuzzRIB(f *testing.F) {
	if rib, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC); err == nil {
		f.Add(rib)
	}
	f.Add([]byte{})
	// A message, and an attribute in it, that ends one byte behind a multiple of four.
	f.Add([]byte("\x1d\x00\x00\x00\x14\x00\x00\x0000000000" + "00000000" + "\x05\x00\x010" + "0" + "000"))
	f.Fuzz(func(t *testing.T, rib []byte) {
		list, _ := parseRIB(rib)
		for _, ip := range list {
			if !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() {
				t.Errorf("%v", ip)
			}
		}
	})
}
