// Package guess slows down whoever guesses passwords, by name and by address, and nobody else: who logged in from an
// address before does not wait for what strangers do to the name.
package guess

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// maxEntries bounds each of the tables. What was touched longest ago makes room.
	maxEntries = 8192
	// free is how many failures cost nothing: those of fingers and of old passwords.
	free = 4
	// first is the delay after them; it doubles with each failure up to most.
	first, most = time.Second, 15 * time.Second
	// forgets is the time in which one failure is forgotten.
	forgets = 2 * time.Minute
	// queue is how long the attempts of one address may have to wait for each other.
	queue = 60 * time.Second
	// strikes is how many failures in a row make a stranger of a friend.
	strikes = 3
)

// A Book counts failures. It is for any number of goroutines; the zero value is ready.
type Book struct {
	mu        sync.Mutex
	names     table // failures by name, whoever fails
	addresses table // failures by address, whatever the name
	friends   table // names with the address from which they logged in
}

// Address is what an address is counted by: an IPv6 network of 64 bits is one house. What is no address is counted
// together.
func Address(s string) string {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64)
		ip = p.Addr()
	}
	return ip.String()
}

// Admit says how long an attempt has to wait until it may be looked at. ok is false for one of an address that has too
// many waiting already: it may come again later.
func (b *Book) Admit(name, address string, now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.friends.find(pair(name, address)) != nil {
		return 0, true
	}
	wait = b.names.find(name).delay(now)
	e := b.addresses.find(address)
	if gap := e.delay(now); gap > 0 {
		// One after the other, however many connections there are.
		turn := e.turn.Add(gap)
		if now.Add(gap).After(turn) {
			turn = now.Add(gap)
		}
		if turn.Sub(now) > queue {
			return 0, false
		}
		e.turn = turn
		wait = max(wait, turn.Sub(now))
	}
	return wait, true
}

// Failed counts a failure.
func (b *Book) Failed(name, address string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.friends.find(pair(name, address)); f != nil {
		if f.count++; f.count >= strikes {
			b.friends.remove(f)
		}
	}
	b.names.get(name).fail(now)
	b.addresses.get(address).fail(now)
}

// Passed remembers that somebody has logged in. What failed before stays counted: who has one account may not guess
// others by it.
func (b *Book) Passed(name, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.friends.get(pair(name, address)).count = 0
}

func pair(name, address string) string { return name + "\x00" + address }

// An entry is one key's failures.
type entry struct {
	key          string
	count        int
	since        time.Time // count was right then
	turn         time.Time // of the last attempt that waits
	older, newer *entry
}

// settle forgets what was long ago.
func (e *entry) settle(now time.Time) {
	n := int(now.Sub(e.since) / forgets)
	if n <= 0 {
		return
	}
	if e.count -= n; e.count <= 0 {
		e.count, e.since = 0, now
		return
	}
	e.since = e.since.Add(time.Duration(n) * forgets)
}

func (e *entry) fail(now time.Time) {
	if e.settle(now); e.count == 0 {
		e.since = now
	}
	// More than the cap would only take longer to forget.
	e.count = min(e.count+1, free+8)
}

func (e *entry) delay(now time.Time) time.Duration {
	if e == nil {
		return 0
	}
	if e.settle(now); e.count < free {
		return 0
	}
	return min(first<<(e.count-free), most)
}

// A table holds the entries that were touched last.
type table struct {
	entries        map[string]*entry
	oldest, newest *entry
}

func (t *table) find(key string) *entry { return t.entries[key] }

// get returns the entry of a key, which is the newest then.
func (t *table) get(key string) *entry {
	e := t.entries[key]
	switch {
	case e != nil:
		t.unlink(e)
	case len(t.entries) >= maxEntries:
		t.remove(t.oldest)
		fallthrough
	default:
		if t.entries == nil {
			t.entries = map[string]*entry{}
		}
		e = &entry{key: key}
		t.entries[key] = e
	}
	if e.older = t.newest; e.older != nil {
		e.older.newer = e
	} else {
		t.oldest = e
	}
	t.newest = e
	return e
}

func (t *table) remove(e *entry) {
	t.unlink(e)
	delete(t.entries, e.key)
}

func (t *table) unlink(e *entry) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		t.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		t.newest = e.older
	}
	e.older, e.newer = nil, nil
}
