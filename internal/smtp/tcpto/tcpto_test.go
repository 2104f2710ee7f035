package tcpto

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	now  = time.Unix(1700000000, 0)
	host = netip.MustParseAddr("10.0.0.1")
	six  = netip.MustParseAddr("2001:db8::1")
)

// table returns an empty table as it is installed.
func table(t *testing.T) Table {
	t.Helper()
	dir := t.TempDir()
	for _, k := range append(kinds[:], quirks) {
		if err := os.WriteFile(filepath.Join(dir, k.name), make([]byte, k.slots*k.size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Table(dir)
}

func timeout(t *testing.T, table Table, ip netip.Addr, at time.Time) {
	t.Helper()
	if err := table.TimedOut(ip, at); err != nil {
		t.Fatal(err)
	}
}

func TestHostIsDeadAfterTwoTimeoutsUntilItsTimeHasPassed(t *testing.T) {
	for _, ip := range []netip.Addr{host, six} {
		tab := table(t)
		timeout(t, tab, ip, now)
		if tab.Look().Dead(ip, now, 0) {
			t.Errorf("%v is dead after one timeout", ip)
		}
		timeout(t, tab, ip, now.Add(119*time.Second))
		if tab.Look().Dead(ip, now, 0) {
			t.Errorf("%v: a timeout within 120 s was counted", ip)
		}
		at := now.Add(120 * time.Second)
		timeout(t, tab, ip, at)
		for pid, skip := range map[int]time.Duration{0: 60 * 64 * time.Second, 31: 91 * 64 * time.Second,
			33: 61 * 64 * time.Second} {
			v := tab.Look()
			if !v.Dead(ip, at.Add(skip-time.Second), pid) || v.Dead(ip, at.Add(skip), pid) {
				t.Errorf("%v: process %d does not skip it for just %v", ip, pid, skip)
			}
		}
		if err := tab.Answered(ip); err != nil || tab.Look().Dead(ip, at, 0) || tab.Look().Counted(ip) {
			t.Errorf("%v is dead after an answer: %v", ip, err)
		}
	}
}

func TestCountStopsAtTen(t *testing.T) {
	tab := table(t)
	for i := range 300 {
		timeout(t, tab, host, now.Add(time.Duration(i)*time.Hour))
	}
	list, err := tab.List()
	if err != nil || len(list) != 1 || list[0].Count != 10 || list[0].IP != host {
		t.Error(list, err)
	}
}

func TestRecordHasTheBytesOfTheOriginal(t *testing.T) {
	tab := table(t)
	timeout(t, tab, host, time.Unix(0x01020304, 0))
	b, err := os.ReadFile(filepath.Join(string(tab), Name4))
	if err != nil || len(b) != 1024 {
		t.Fatal(len(b), err)
	}
	if want := "\x0a\x00\x00\x01\x01\x00\x00\x00\x04\x03\x02\x01\x00\x00\x00\x00"; string(b[:16]) != want {
		t.Errorf("%q; want %q", b[:16], want)
	}
}

func TestFullTableForgetsTheOldestAndLeastCounted(t *testing.T) {
	tab := table(t)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}) }
	for i := range slots {
		timeout(t, tab, ip(i), now.Add(time.Duration(i)*time.Second))
	}
	timeout(t, tab, ip(0), now.Add(130*time.Second)) // counted twice, so that ip(1) is worth the least
	timeout(t, tab, host, now.Add(200*time.Second))
	v := tab.Look()
	if v.Counted(ip(1)) || !v.Counted(ip(0)) || !v.Counted(ip(2)) || !v.Counted(host) {
		t.Error("the wrong record went")
	}
}

func TestClearForgetsAll(t *testing.T) {
	tab := table(t)
	timeout(t, tab, host, now)
	timeout(t, tab, six, now)
	learn(t, tab, host, Quirk{Group: 1}, now)
	if list, err := tab.List(); err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if err := tab.Clear(); err != nil {
		t.Fatal(err)
	}
	if list, err := tab.List(); err != nil || len(list) != 0 || tab.Quirk(host, now) != (Quirk{}) {
		t.Error(list, err)
	}
	if fi, err := os.Stat(filepath.Join(string(tab), Name4)); err != nil || fi.Size() != 1024 {
		t.Error(fi, err)
	}
}

func TestTreeWithoutTheIPv6FileWorks(t *testing.T) {
	tab := table(t)
	os.Remove(filepath.Join(string(tab), Name6))
	if tab.TimedOut(six, now) == nil || tab.Look().Dead(six, now, 0) {
		t.Error("IPv6 was recorded somewhere")
	}
	if _, err := tab.List(); err != nil {
		t.Error(err)
	}
	if err := tab.Clear(); err != nil {
		t.Error(err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 1024), make([]byte, 2048))
	f.Add([]byte("short"), make([]byte, 33))
	f.Fuzz(func(t *testing.T, four, six6 []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, Name4), four, 0o644)
		os.WriteFile(filepath.Join(dir, Name6), six6, 0o644)
		tab := Table(dir)
		for _, ip := range []netip.Addr{host, six} {
			tab.TimedOut(ip, now)
			tab.Answered(ip)
			if tab.Look().Dead(ip, now, 0) {
				t.Errorf("%v is dead after an answer", ip)
			}
		}
		for _, name := range []string{Name4, Name6} {
			if b, _ := os.ReadFile(filepath.Join(dir, name)); len(b) != len(map[string][]byte{Name4: four, Name6: six6}[name]) {
				t.Errorf("%s changed its length", name)
			}
		}
	})
}
