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
	f.Fuzz(func(t *testing.T, rib []byte) {
		list, _ := parseRIB(rib)
		for _, ip := range list {
			if !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() {
				t.Errorf("%v", ip)
			}
		}
	})
}
