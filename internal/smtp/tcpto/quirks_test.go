package tcpto

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func learn(t *testing.T, tab Table, ip netip.Addr, q Quirk, at time.Time) {
	t.Helper()
	if err := tab.Learn(ip, q, at); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAHostCouldNotBearIsKnownForADay(t *testing.T) {
	tab := table(t)
	for _, ip := range []netip.Addr{host, six} {
		learn(t, tab, ip, Quirk{Pipelining, 7}, now)
		learn(t, tab, ip, Quirk{Parameters, 9}, now)
		if q := tab.Quirk(ip, now.Add(remembered-time.Second)); q != (Quirk{Pipelining | Parameters, 7}) {
			t.Errorf("%v: %+v", ip, q)
		}
		if q := tab.Quirk(ip, now.Add(remembered)); q != (Quirk{}) {
			t.Errorf("%v: still %+v", ip, q)
		}
		learn(t, tab, ip, Quirk{Hello, 20}, now.Add(remembered))
		if q := tab.Quirk(ip, now.Add(remembered)); q != (Quirk{Hello, 20}) {
			t.Errorf("%v: what was forgotten came back: %+v", ip, q)
		}
		if q := tab.Quirk(ip, now); q != (Quirk{}) {
			t.Errorf("%v: the future counts: %+v", ip, q)
		}
	}
	if q := tab.Quirk(netip.MustParseAddr("10.0.0.2"), now); q != (Quirk{}) {
		t.Errorf("a stranger: %+v", q)
	}
	if tab.Look().Counted(host) {
		t.Error("a quirk is no timeout")
	}
}

func TestOnlyHostsThatAreSparedSomethingAreListed(t *testing.T) {
	tab := table(t)
	learn(t, tab, netip.MustParseAddr("10.0.0.4"), Quirk{Hello, 0}, now.Add(-remembered))
	for ip, q := range map[string]Quirk{
		"10.0.0.1": {Hello | Pipelining | Honest, 5}, "2001:db8::1": {Parameters | Keeping, 0},
		"10.0.0.5": {Classical | Secrecy, 0}, "10.0.0.3": {Honest, 0},
	} {
		learn(t, tab, netip.MustParseAddr(ip), q, now)
	}
	list, err := tab.Spared(now)
	got := ""
	for _, h := range list {
		got += h.IP.String() + " " + h.Quirk.String() + "\n"
	}
	one := "10.0.0.1 EHLO, PIPELINING, more than 5 recipients\n"
	other := "2001:db8::1 parameters of MAIL, more messages on a connection\n"
	third := "10.0.0.5 ML-KEM in TLS, TLS\n"
	if err != nil || len(got) != len(one+other+third) || !strings.Contains(got, one) || !strings.Contains(got, other) ||
		!strings.Contains(got, third) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAFullTableForgetsFirstWhatOnlySparesAQuestion(t *testing.T) {
	tab := table(t)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }
	for i := range quirks.slots {
		q := Quirk{Without: Pipelining}
		if i%2 == 1 {
			q.Without = Honest
		}
		learn(t, tab, ip(i), q, now.Add(time.Duration(i)*time.Second))
	}
	later := now.Add(time.Hour)
	for i := range quirks.slots / 2 {
		learn(t, tab, ip(1000+i), Quirk{Group: 3}, later)
	}
	for i := range quirks.slots {
		if known := tab.Quirk(ip(i), later) != (Quirk{}); known != (i%2 == 0) {
			t.Errorf("%d: known: %v", i, known)
		}
	}
	learn(t, tab, host, Quirk{Group: 1}, later)
	if tab.Quirk(ip(0), later) != (Quirk{}) || tab.Quirk(ip(2), later) == (Quirk{}) {
		t.Error("the oldest did not go")
	}
}

func TestATreeWithoutTheFileOfQuirksWorks(t *testing.T) {
	if list, err := Table(t.TempDir()).Spared(now); len(list) > 0 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	tab := table(t)
	os.Remove(filepath.Join(string(tab), NameQuirks))
	if tab.Learn(host, Quirk{Group: 1}, now) == nil || tab.Quirk(host, now) != (Quirk{}) {
		t.Error("it was remembered somewhere")
	}
	if err := tab.Clear(); err != nil {
		t.Error(err)
	}
}

func FuzzQuirks(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 256*32))
	f.Add(make([]byte, 33))
	f.Fuzz(func(t *testing.T, b []byte) {
		tab := Table(t.TempDir())
		os.WriteFile(filepath.Join(string(tab), NameQuirks), b, 0o644)
		for _, ip := range []netip.Addr{host, six} {
			err := tab.Learn(ip, Quirk{Hello, 5}, now)
			if q := tab.Quirk(ip, now); err == nil && len(b) >= quirks.size &&
				(q.Without&Hello == 0 || q.Group == 0 || q.Group > 5) {
				t.Errorf("%v: %+v", ip, q)
			}
			if tab.Quirk(ip, now.Add(remembered)) != (Quirk{}) {
				t.Errorf("%v is remembered for ever", ip)
			}
		}
		if got, _ := os.ReadFile(filepath.Join(string(tab), NameQuirks)); len(got) != len(b) {
			t.Errorf("%d bytes became %d", len(b), len(got))
		}
	})
}
