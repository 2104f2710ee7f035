package listener

import (
	"net/netip"
	"os"
	"time"

	"qmail/internal/net/proxy"
)

// maxHeaders is how many connections of balancers may be between their first byte and a session. Each takes a thread
// while it waits for its header.
const maxHeaders = 100

// balancer reports whether connections from an address begin with a header that says whose they are.
func (l *listener) balancer(ip netip.Addr) (bool, error) {
	if l.Control == "" {
		return false, nil
	}
	return proxy.Trusts(l.Control, ip)
}

// passedOn begins the session of a client whose connection a balancer passes on; without a header it has none. Others
// are accepted meanwhile.
func (l *listener) passedOn(conn *os.File, balancer netip.Addr) {
	if !l.waiting(1) {
		l.turnAway(conn, balancer, "too many are without a header")
		return
	}
	l.all.Go(func() {
		defer l.waiting(-1)
		h, err := proxy.ReadFrom(conn)
		if err != nil {
			l.turnAway(conn, balancer, err.Error())
			return
		}
		ip, peer := balancer, l.Peer
		if peer.Header = &h; h.Known() {
			ip = h.Source.Addr()
		}
		l.begin(conn, ip, peer)
	})
}

// waiting counts by how many more connections are without a session, and reports whether they may be.
func (l *listener) waiting(more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if more > 0 && l.headers >= maxHeaders {
		return false
	}
	l.headers += more
	return true
}

// turnAway closes a connection of a balancer. A balancer that looks whether we are there may do it by connecting, and
// no more: there is a line a second at most.
func (l *listener) turnAway(conn *os.File, balancer netip.Addr, why string) {
	conn.Close()
	l.mu.Lock()
	now := time.Now()
	tell := now.Sub(l.told) >= logged
	if tell {
		l.told = now
	}
	l.mu.Unlock()
	if tell {
		l.say(balancer, "refused a connection from a balancer: "+why)
	}
}
