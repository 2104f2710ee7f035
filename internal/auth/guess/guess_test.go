package guess

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Unix(1_800_000_000, 0)

func TestGuessingGetsSlowForANameAndForAnAddress(t *testing.T) {
	for _, key := range []func(i int) (string, string){
		func(i int) (string, string) { return "joe", fmt.Sprintf("192.0.2.%d", i) },
		func(i int) (string, string) { return fmt.Sprintf("u%d", i), "192.0.2.1" },
	} {
		var b Book
		now, last := start, time.Duration(0)
		for i := range 20 {
			name, address := key(i)
			wait, ok := b.Admit(name, address, now)
			if !ok || wait < last || wait > most || i < free && wait > 0 {
				t.Errorf("attempt %d waits %v after %v, %v", i, wait, last, ok)
			}
			last = wait
			now = now.Add(wait)
			b.Failed(name, address, now)
		}
		if last != most {
			t.Errorf("the last waits %v", last)
		}
		name, address := key(21)
		if wait, _ := b.Admit(name, address, now.Add(20*forgets)); wait != 0 {
			t.Errorf("long afterwards it waits %v", wait)
		}
	}
}

func TestAnAddressGainsNothingByManyConnections(t *testing.T) {
	var b Book
	for range 20 {
		b.Failed("joe", "192.0.2.1", start)
	}
	admitted := 0
	for i := range 1000 {
		if wait, ok := b.Admit(fmt.Sprint(i), "192.0.2.1", start); ok {
			if admitted++; wait < time.Duration(admitted)*most {
				t.Errorf("attempt %d waits %v", i, wait)
			}
		}
	}
	if want := int(queue / most); admitted != want {
		t.Errorf("%d of 1000 wait at once, want %d", admitted, want)
	}
	if _, ok := b.Admit("x", "192.0.2.1", start.Add(most)); !ok {
		t.Error("nobody is admitted when one has had its turn")
	}
}

func TestAnAttackOnANameDoesNotLockItsOwnerOut(t *testing.T) {
	var b Book
	b.Passed("joe", "198.51.100.1")
	for i := range 1000 {
		b.Failed("joe", fmt.Sprintf("192.0.2.%d", i), start)
	}
	if wait, ok := b.Admit("joe", "198.51.100.1", start); wait != 0 || !ok {
		t.Errorf("where joe logged in before he waits %v", wait)
	}
	if wait, ok := b.Admit("joe", "203.0.113.1", start); wait > most || !ok {
		t.Errorf("elsewhere he waits %v, %v", wait, ok)
	}
	if wait, ok := b.Admit("ann", "203.0.113.1", start); wait != 0 || !ok {
		t.Errorf("ann waits %v", wait)
	}
}

func TestAFriendWhoGuessesIsNoneAnyMore(t *testing.T) {
	var b Book
	b.Passed("eve", "192.0.2.1")
	for range 20 {
		b.Failed("joe", "192.0.2.1", start)
	}
	if wait, _ := b.Admit("joe", "192.0.2.1", start); wait == 0 {
		t.Error("one account lets its owner guess the others")
	}
	if wait, _ := b.Admit("eve", "192.0.2.1", start); wait != 0 {
		t.Errorf("eve waits %v", wait)
	}
	for range strikes {
		b.Failed("eve", "192.0.2.1", start)
	}
	if wait, _ := b.Admit("eve", "192.0.2.1", start); wait == 0 {
		t.Error("who knew a password once may guess it for ever")
	}
}

func TestABookIsBoundedAndForgetsTheOldest(t *testing.T) {
	var b Book
	for i := range 3 * maxEntries {
		b.Passed(fmt.Sprint(i), "a")
		b.Failed(fmt.Sprint(i), fmt.Sprint(i), start)
		b.Failed("joe", "192.0.2.1", start) // who goes on is not forgotten
	}
	for what, tb := range map[string]*table{"names": &b.names, "addresses": &b.addresses, "friends": &b.friends} {
		n := 0
		for e := tb.oldest; e != nil; e = e.newer {
			n++
		}
		back := 0
		for e := tb.newest; e != nil; e = e.older {
			back++
		}
		if n != maxEntries || back != n || len(tb.entries) != n {
			t.Errorf("%s: %d, %d, %d", what, n, back, len(tb.entries))
		}
	}
	if b.names.find("joe") == nil || b.names.find("0") != nil {
		t.Error("the wrong ones were forgotten")
	}
}

func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	for _, same := range [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"::ffff:192.0.2.1", "192.0.2.1"}, {"",
		"mx.example"},
		{"fe80::1%eth0", "fe80::2"}} {
		if Address(same[0]) != Address(same[1]) {
			t.Errorf("%q and %q: %q, %q", same[0], same[1], Address(same[0]), Address(same[1]))
		}
	}
	for _, other := range [][2]string{{"2001:db8::1", "2001:db8:0:1::1"}, {"192.0.2.1", "192.0.2.2"}, {"192.0.2.1", ""}} {
		if Address(other[0]) == Address(other[1]) {
			t.Errorf("%q and %q are one", other[0], other[1])
		}
	}
}
