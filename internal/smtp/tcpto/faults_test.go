package tcpto

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestATimeoutOfTheFutureCountsAsNone(t *testing.T) {
	for _, ip := range []netip.Addr{host, six} {
		tab := table(t)
		year := now.AddDate(1, 0, 0)
		timeout(t, tab, ip, year)
		timeout(t, tab, ip, year.Add(time.Hour))
		if tab.Look().Dead(ip, now, 31) {
			t.Errorf("%v is given up for a year", ip)
		}
		timeout(t, tab, ip, now) // which is counted, and mends the time
		if !tab.Look().Dead(ip, now.Add(time.Minute), 31) || tab.Look().Dead(ip, now.Add(2*time.Hour), 31) {
			t.Errorf("%v: the next timeout was not believed", ip)
		}
	}
}

func TestRecordsOfTheFutureGiveWay(t *testing.T) {
	tab := table(t)
	for i := range slots {
		timeout(t, tab, netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), now.AddDate(1, 0, i%2*-400))
	}
	for i := range slots / 2 {
		timeout(t, tab, netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), now)
	}
	for i := range slots / 2 {
		v := tab.Look()
		if old := netip.AddrFrom4([4]byte{10, 1, 0, byte(2*i + 1)}); !v.Counted(old) ||
			!v.Counted(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)})) {
			t.Errorf("record %d went before those of the future", i)
		}
	}
}

// longest is how long a host is skipped at most, whatever is in the files.
const longest = 91 * 64 * time.Second

func TestNoGarbageGivesAHostUpForLong(t *testing.T) {
	for range 50 {
		tab := table(t)
		for _, k := range kinds {
			b := make([]byte, rand.IntN(slots*k.size+k.size))
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			for at := 0; at+k.size <= len(b); at += 2 * k.size {
				copy(b[at:], host.AsSlice()[:min(4, k.addr)])
				if k.addr == 16 {
					copy(b[at:], six.AsSlice())
				}
			}
			if err := os.WriteFile(filepath.Join(string(tab), k.name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		when := now
		for _, ip := range []netip.Addr{host, six} {
			v := tab.Look()
			for pid := range 32 {
				if v.Dead(ip, when, pid) && v.Dead(ip, when.Add(longest), pid) {
					t.Errorf("%v is given up for more than %v", ip, longest)
				}
			}
			tab.TimedOut(ip, when)
			tab.Answered(ip)
			if tab.Look().Dead(ip, when, 0) {
				t.Errorf("%v is given up after it has answered", ip)
			}
		}
	}
}

func TestATableThatCannotBeReadGivesNobodyUp(t *testing.T) {
	tab := table(t)
	for _, k := range kinds {
		path := filepath.Join(string(tab), k.name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, ip := range []netip.Addr{host, six} {
		if tab.Look().Dead(ip, now, 0) || tab.TimedOut(ip, now) == nil || tab.Answered(ip) == nil {
			t.Errorf("%v: a folder was taken for a table", ip)
		}
	}
}
