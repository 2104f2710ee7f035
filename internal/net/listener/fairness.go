package listener

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"qmail/internal/sys/inet"
	"qmail/internal/text/peerlog"
)

const (
	// defaultGrace is how long no session is ended for another, and how long a client may then be idle; for one of the
	// address with the most it is a tenth of that, as what has to go may come again at once.
	defaultGrace = 10 * time.Second
	// leastRate is how many bytes a second a client must move, after that, not to be slow.
	leastRate = 100
	// moment is how long one whose address has sessions waits for room.
	moment = time.Second
	// again is how long one waits for room before it is looked for anew.
	again = 250 * time.Millisecond
	// logged is how far apart lines are that say the same of one address.
	logged = time.Second
)

// An origin is one address, or network, and the sessions of its clients.
type origin struct {
	sessions []*session
	block    netip.Prefix // the addresses of which somebody may have all who has this
	refused  int          // connections that no line in the log has told of
	told     time.Time    // when the last one did
}

// A session is one connection that is served.
type session struct {
	conn  *os.File
	ip    netip.Addr
	key   netip.Addr
	began time.Time
	ended time.Time // when we ended it for another; zero: we did not
}

// admit returns the session of a new connection, and nil where it is not served. While there is no room it waits, and
// those behind it wait in the kernel's queue: so one whose address has sessions already waits for a moment only, and
// not at all if it has many.
func (l *listener) admit(conn *os.File, ip netip.Addr) *session {
	s := &session{conn: conn, ip: ip, key: network(ip), began: time.Now()}
	for {
		l.mu.Lock()
		o := l.origins[s.key]
		if o == nil {
			o = &origin{block: blockOf(s.key)}
			l.origins[s.key] = o
		}
		has := len(o.sessions)
		if has >= l.PerAddress {
			l.refuse(s, o, strconv.Itoa(has)+" of its address are open")
			return nil
		}
		if l.total < l.Limit {
			s.began = time.Now()
			o.sessions = append(o.sessions, s)
			l.total++
			n := l.total
			l.mu.Unlock()
			if l.Verbose {
				l.say(ip, "connection "+strconv.Itoa(n)+" of "+strconv.Itoa(l.Limit))
			}
			return s
		}
		now := time.Now()
		blocks := l.blocks()
		beside := blocks[o.block].total // sessions of its block, its own among them
		victim, soon := l.victim(o, blocks, now)
		many := has > l.Limit/(2*len(l.origins)) || beside > l.Limit/(2*len(blocks))
		if victim == nil && !soon && (many || beside > 0 && now.Sub(s.began) > moment) {
			l.refuse(s, o, "all "+strconv.Itoa(l.Limit)+" are open, "+strconv.Itoa(has)+" of them its address's")
			return nil
		}
		l.mu.Unlock()
		if victim != nil {
			inet.Shutdown(victim.conn)
			l.say(victim.ip, "ended a connection after "+strconv.Itoa(int(now.Sub(victim.began)/time.Second))+
				" seconds: all "+strconv.Itoa(l.Limit)+" are open")
		}
		select {
		case <-l.freed:
		case <-time.After(again):
		}
	}
}

// refuse tells a client that it is not served, and the log; it unlocks. An address has a line a second at most.
func (l *listener) refuse(s *session, o *origin, why string) {
	o.refused++
	n := 0
	if now := time.Now(); now.Sub(o.told) >= logged {
		n, o.refused, o.told = o.refused, 0, now
	}
	l.mu.Unlock()
	s.conn.WriteString(l.Busy)
	if n > 0 {
		l.say(s.ip, "refused "+strconv.Itoa(n)+" connections: "+why)
	}
}

func (l *listener) leave(s *session) {
	l.mu.Lock()
	o := l.origins[s.key]
	for i, x := range o.sessions {
		if x == s {
			o.sessions = append(o.sessions[:i], o.sessions[i+1:]...)
			break
		}
	}
	if len(o.sessions) == 0 {
		delete(l.origins, s.key)
	}
	l.total--
	l.mu.Unlock()
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// A block is the sessions of all addresses that one client may well have.
type block struct {
	total int
	most  int        // of one address
	of    []*session // those of the addresses that have so many
}

// blocks returns those that have origins. The caller holds the lock.
func (l *listener) blocks() map[netip.Prefix]*block {
	all := make(map[netip.Prefix]*block)
	for _, o := range l.origins {
		n := all[o.block]
		if n == nil {
			n = new(block)
			all[o.block] = n
		}
		n.total += len(o.sessions)
		switch {
		case len(o.sessions) > n.most:
			n.most, n.of = len(o.sessions), slices.Clone(o.sessions)
		case len(o.sessions) == n.most:
			n.of = append(n.of, o.sessions...)
		}
	}
	return all
}

// victim chooses the session that ends for a newcomer of an origin; nil means that none must, and soon that one that
// was chosen before is about to. The caller holds the lock.
//
// Where a block has more than the newcomer's would then have, one of the largest block has to go, else one of the
// newcomer's own where an address there has more than its own would: of the address with the most, the slowest. Where
// all have few, only one that is slow does.
func (l *listener) victim(newcomer *origin, blocks map[netip.Prefix]*block, now time.Time) (
	victim *session, soon bool) {
	for _, o := range l.origins {
		for _, s := range o.sessions {
			if !s.ended.IsZero() && now.Sub(s.ended) < l.Grace {
				return nil, true
			}
		}
	}
	own := blocks[newcomer.block]
	largest := own
	for _, n := range blocks {
		if n.total > largest.total {
			largest = n
		}
	}
	switch {
	case largest.total > own.total+1:
		victim, _ = slowest(largest.of, l.Grace/10, now)
	case own.most > len(newcomer.sessions)+1:
		victim, _ = slowest(own.of, l.Grace/10, now)
	}
	if victim == nil {
		var worst time.Duration
		for _, o := range l.origins {
			if s, d := slowest(o.sessions, l.Grace, now); s != nil && d > worst {
				victim, worst = s, d
			}
		}
	}
	if victim != nil {
		victim.ended = now
	}
	return victim, false
}

// slowest returns the one of sessions whose grace is over that is slowest, the first of these; nil
// where there is none. slowness is how much longer its client has been idle than it may, or has taken than it may for
// what it has sent and received; 0 for one that is not slow.
func slowest(sessions []*session, grace time.Duration, now time.Time) (slowest *session, slowness time.Duration) {
	for _, s := range sessions {
		age := now.Sub(s.began)
		if !s.ended.IsZero() || age < grace {
			continue
		}
		idle, bytes, ok := inet.Flow(s.conn)
		if !ok {
			idle = age
		}
		d := max(0, idle-grace, age-grace-time.Duration(bytes/leastRate)*time.Second)
		if slowest == nil || d > slowness {
			slowest, slowness = s, d
		}
	}
	return slowest, slowness
}

func (l *listener) say(ip netip.Addr, text string) {
	if l.Log != nil {
		peerlog.New(l.Log, "tcp-env", ip.WithZone("").String(), os.Getpid()).Say(text)
	}
}
