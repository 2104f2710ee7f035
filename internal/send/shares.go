package send

import (
	"net/netip"
	"slices"
	"strings"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/text/ascii"
)

// maxAddresses bounds the hosts whose address is known.
const maxAddresses = 10000

// shares see to it that no user and no remote address has more slots than its share while others wait. What has no
// share now is parked.
type shares struct {
	fixed   int // the most slots of one key, by a control file; 0: see has
	by      map[string]*share
	address map[string]string // the address that a host was reached at
	blocked []*share          // that have parked bundles
	slow    map[string]int64  // places that were silent, and until when that counts
	now     int64             // the time, in seconds
	crawl   int               // slots that slow places have
}

const (
	// silentFor is how many seconds a delivery that was deferred must have taken for its place to count as slow, and
	// slowFor for how long it does.
	silentFor, slowFor = 4, 600
	// maxSlow bounds the slow places.
	maxSlow = 10000
)

// The ranks of places.
const (
	idlePlace = iota // nothing goes there now
	busyPlace
	slowPlace
)

func newShares(fixed int) shares {
	return shares{fixed: fixed, by: map[string]*share{}, address: map[string]string{}, slow: map[string]int64{}}
}

// rank says who is to wait for whom.
func (s *shares) rank(key string) int {
	place := s.place(key)
	switch {
	case s.slow[place] > s.now:
		return slowPlace
	case s.by[place] != nil && s.by[place].running > 0:
		return busyPlace
	}
	return idlePlace
}

// judge takes note of how long a place let a delivery wait that was deferred, or that it answered.
func (s *shares) judge(key string, deferred bool, since int64) {
	place := s.place(key)
	switch {
	case !deferred:
		delete(s.slow, place)
	case s.now-since >= silentFor:
		if len(s.slow) >= maxSlow {
			clear(s.slow)
		}
		s.slow[place] = s.now + slowFor
	}
}

// A share is the slots that deliveries to one user or remote address have.
type share struct {
	key     string
	running int
	parked  []*bundle
}

// key returns what a recipient's deliveries have in common: the host of a remote one, the user of a local one. Whom an
// address belongs to only qmail-lspawn knows; what stands before the first conf-break is the user, or not more than
// one user's by a rule of users/assign.
func (s *slots) key(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	if s.channel == queue.Remote {
		return ascii.LowerString(addr[at+1:])
	}
	user := addr
	if at >= 0 {
		user = addr[:at]
	}
	user, _, _ = strings.Cut(user, string(rune(conf.Break())))
	return ascii.LowerString(user)
}

// place returns the key by which slots are counted: the address of a host, once it is known.
func (s *shares) place(key string) string {
	if a, ok := s.address[key]; ok {
		return a
	}
	return key
}

// learn takes note of the address that a host was reached at. An IPv6 host can have as many as it likes in its /64.
func (s *shares) learn(host string, address netip.Addr) {
	if len(s.address) >= maxAddresses {
		clear(s.address)
	}
	if address = address.Unmap(); address.Is6() {
		p, _ := address.Prefix(64)
		address = p.Addr()
	}
	s.address[host] = address.String()
}

// has reports whether a key may have one more of the slots: two, or a tenth of them, and more while less than half of
// them are in use.
func (s *shares) has(key string, running, limit int) bool {
	x := s.by[s.place(key)]
	if s.crawl > 0 && s.crawl >= limit-max(1, limit/4) && s.slow[s.place(key)] > s.now {
		return false // the rest is for those that answer
	}
	return x == nil || s.room(x, running, limit)
}

func (s *shares) room(x *share, running, limit int) bool {
	if s.fixed != 0 {
		return x.running < s.fixed
	}
	return x.running < max(2, limit/10) || 2*running < limit
}

// begin takes a slot.
func (s *shares) begin(key string, slow bool) *share {
	x := s.get(key)
	x.running++
	if slow {
		s.crawl++
	}
	return x
}

func (s *shares) get(key string) *share {
	key = s.place(key)
	x := s.by[key]
	if x == nil {
		x = &share{key: key}
		s.by[key] = x
	}
	return x
}

// park keeps a bundle until its share has room.
func (s *shares) park(b *bundle) {
	x := s.get(b.key)
	if len(x.parked) == 0 {
		s.blocked = append(s.blocked, x)
	}
	x.parked = append(x.parked, b)
}

// end gives a slot back, and returns the bundles that may start now: the next one of this share, and when few slots are
// in use one of each.
func (s *shares) end(v *slot, running, limit int) []*bundle {
	x := v.share
	x.running--
	if v.slow {
		s.crawl--
	}
	woken := 0
	list := s.wake(func(y *share) bool {
		may := (y == x || 2*running < limit || v.slow && woken == 0) && s.has(y.key, running, limit)
		if may && y != x {
			woken++
		}
		return may
	})
	s.settle(x)
	return list
}

// wake returns the next parked bundle of each share that may have one.
func (s *shares) wake(may func(*share) bool) (list []*bundle) {
	for _, x := range slices.Clone(s.blocked) {
		if may(x) {
			list = append(list, x.parked[0])
			x.parked = x.parked[1:]
			s.settle(x)
		}
	}
	return list
}

// settle forgets a share that nobody uses, or that nobody waits for.
func (s *shares) settle(x *share) {
	if len(x.parked) > 0 {
		return
	}
	if i := slices.Index(s.blocked, x); i >= 0 {
		s.blocked = slices.Delete(s.blocked, i, i+1)
	}
	if x.running == 0 && s.by[x.key] == x {
		delete(s.by, x.key)
	}
}

// drop forgets the parked bundles of a job, and returns those of others that nothing else would have started.
func (s *shares) drop(j *job) []*bundle {
	for _, x := range slices.Clone(s.blocked) {
		x.parked = slices.DeleteFunc(x.parked, func(b *bundle) bool { return b.j == j })
		s.settle(x)
	}
	return s.wake(func(x *share) bool { return x.running == 0 })
}
