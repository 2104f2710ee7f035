// Package listener accepts TCP connections and has a program serve each: a worker where the program is one of
// ours, and else a process of its own.
package listener

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"qmail/internal/net/client"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/sys/priv"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

const (
	// DefaultLimit is how many connections are served at a time.
	DefaultLimit = 400
	// share and few say how many of them may come from one address: one of so many, but always a few.
	share, few = 8, 10
	// MaxLimit bounds that: each connection costs a process.
	MaxLimit = 10000
	// pause is how long to wait when the system has no descriptor or no memory for a connection.
	pause = 100 * time.Millisecond
)

// DefaultPerAddress returns how many of limit connections may come from one address.
func DefaultPerAddress(limit int) int { return max(limit/share, few) }

// A Service is what is done with the connections.
type Service struct {
	Limit      int           // connections at a time
	PerAddress int           // of them from one IPv4 address, or one IPv6 network of 64 bits
	Grace      time.Duration // how long every client has, however few connections are left; 0: ten seconds
	Busy       string        // what a client is told that is not served
	Verbose    bool          // each connection has a line in the log

	Worker  string                   // the program in HOME/bin that can be a worker; empty: none
	Extra   func() (*os.File, error) // its descriptor 4; see pool.Spec
	Peer    client.Options           // its jobs' arguments
	Env     []string
	Path    string   // tcp-env, which is started where no worker is at hand
	Command []string // what it becomes
	Log     *os.File // its descriptor 2, and where our lines go; the connection is 0 and 1

	Control control.Dir // where the balancers are named; empty: there are none
}

// A listener is a Service at work.
type listener struct {
	Service
	pool  *pool.Pool
	freed chan struct{} // there is room for a connection, perhaps
	all   sync.WaitGroup

	mu      sync.Mutex
	headers int // connections of balancers that are no sessions yet
	told    time.Time
	total   int // sessions
	origins map[netip.Addr]*origin
}

// Serve accepts connections until stop is closed, and returns when the last one is done.
func (s Service) Serve(sockets []*sys.Listener, stop <-chan struct{}) {
	if s.Grace == 0 {
		s.Grace = defaultGrace
	}
	l := &listener{Service: s, freed: make(chan struct{}, 1), origins: make(map[netip.Addr]*origin)}
	l.pool = pool.New(s.Limit)
	var accepting sync.WaitGroup
	for _, socket := range sockets {
		accepting.Go(func() { l.accept(socket, stop) })
	}
	<-stop
	for _, socket := range sockets {
		socket.Stop()
	}
	accepting.Wait()
	l.all.Wait()
	l.pool.Close()
}

// accept takes connections from one socket. While there is no room for one that it has taken, it takes no more: they
// wait in the kernel's queue.
func (l *listener) accept(socket *sys.Listener, stop <-chan struct{}) {
	for {
		conn, remote, err := inet.Accept(socket)
		if err != nil {
			if wait(err, stop) {
				continue
			}
			return
		}
		switch balancer, err := l.balancer(remote.Addr()); {
		case err != nil:
			l.say(remote.Addr(), "refused a connection because control/proxyfrom cannot be read")
			conn.Close()
		case balancer:
			l.passedOn(conn, remote.Addr())
		default:
			l.begin(conn, remote.Addr(), l.Peer)
		}
	}
}

// begin has a connection of a client served where there is room for it.
func (l *listener) begin(conn *os.File, ip netip.Addr, peer client.Options) {
	s := l.admit(conn, ip)
	if s == nil {
		conn.Close()
		return
	}
	l.all.Go(func() {
		l.serve(conn, peer.Args())
		l.leave(s)
		conn.Close()
	})
}

// wait reports whether to go on after an error of Accept.
func wait(err error, stop <-chan struct{}) bool {
	if os.IsTimeout(err) {
		return false
	}
	if sys.Passing(err) {
		return true
	}
	select {
	case <-stop:
		return false
	case <-time.After(pause):
		return true
	}
}

// network is what connections are counted by: one customer has a whole IPv6 network of 64 bits.
func network(ip netip.Addr) netip.Addr {
	if !ip.Is6() {
		return ip
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return p.Addr()
}

// blockOf returns the block that an origin is in.
func blockOf(ip netip.Addr) netip.Prefix {
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	p, _ := ip.WithZone("").Prefix(bits)
	return p
}

// serve has one connection served. Ours stays open until that is done, so that we can end it.
func (l *listener) serve(conn *os.File, args []string) {
	if l.Worker != "" {
		w := l.pool.Take(pool.Spec{Name: l.Worker, Env: l.Env, Log: l.Log, Extra: l.Extra}, "")
		if w != nil && w.Send(worker.Job{Args: args, Env: l.Env, Files: []*os.File{conn}}) == nil {
			w.Wait("", 0)
			return
		}
	}
	p, err := priv.Start(priv.Child{
		Path: l.Path, Args: slices.Concat([]string{"tcp-env"}, args, l.Command),
		Env: l.Env, Files: []*os.File{conn, conn, l.Log},
	})
	if err == nil {
		p.Wait()
	}
}
