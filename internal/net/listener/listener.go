// Package listener accepts TCP connections and has a program serve each: a worker where the program is one of
// ours, and else a process of its own.
package listener

import (
	"net/netip"
	"os"
	"sync"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/sys/priv"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

const (
	// DefaultLimit is how many connections are served at a time.
	DefaultLimit = 400
	// DefaultPerAddress is how many of them may come from one address.
	DefaultPerAddress = 100
	// MaxLimit bounds both: each connection costs a process.
	MaxLimit = 10000
	// pause is how long to wait when the system has no descriptor or no memory for a connection.
	pause = 100 * time.Millisecond
)

// A Service is what is done with the connections.
type Service struct {
	Limit      int // connections at a time
	PerAddress int // of them from one IPv4 address, or one IPv6 network of 64 bits

	Worker  string   // the program in HOME/bin that can be a worker; empty: none
	Args    []string // the arguments of its jobs
	Env     []string
	Path    string   // the program that is started where no worker is at hand
	Command []string // its whole argument list, its name first
	Log     *os.File // its descriptor 2; the connection is 0 and 1
}

// A listener is a Service at work.
type listener struct {
	Service
	pool     *pool.Pool
	slots    chan struct{}
	sessions sync.WaitGroup

	mu   sync.Mutex
	from map[netip.Addr]int // connections of each address
}

// Serve accepts connections until stop is closed, and returns when the last one is done.
func (s Service) Serve(sockets []*sys.Listener, stop <-chan struct{}) {
	l := &listener{Service: s, slots: make(chan struct{}, s.Limit), from: make(map[netip.Addr]int)}
	l.pool = pool.New(s.Limit)
	if l.Worker != "" {
		l.pool.Warm(l.spec()) // so that the first burst finds out nothing new
	}
	var accepting sync.WaitGroup
	for _, socket := range sockets {
		accepting.Go(func() { l.accept(socket, stop) })
	}
	<-stop
	for _, socket := range sockets {
		socket.Stop()
	}
	accepting.Wait()
	l.sessions.Wait()
	l.pool.Close()
}

// accept takes connections from one socket. While all slots are taken it takes none: they wait in the kernel's queue.
func (l *listener) accept(socket *sys.Listener, stop <-chan struct{}) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-stop:
			return
		}
		conn, remote, err := inet.Accept(socket)
		if err != nil {
			<-l.slots
			if wait(err, stop) {
				continue
			}
			return
		}
		key := network(remote.Addr())
		if !l.enter(key) {
			conn.Close()
			<-l.slots
			continue
		}
		l.sessions.Go(func() {
			l.serve(conn)
			l.leave(key)
			<-l.slots
		})
	}
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

func (l *listener) enter(key netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[key] >= l.PerAddress {
		return false
	}
	l.from[key]++
	return true
}

func (l *listener) leave(key netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[key]--; l.from[key] == 0 {
		delete(l.from, key)
	}
}

func (l *listener) spec() pool.Spec { return pool.Spec{Name: l.Worker, Env: l.Env, Eager: true} }

// serve has one connection served, and closes our copy of it as soon as someone else has it: the client must see
// its end when that one closes it.
func (l *listener) serve(conn *os.File) {
	defer conn.Close()
	if l.Worker != "" {
		w := l.pool.Take(l.spec(), "")
		if w != nil && w.Send(worker.Job{Args: l.Args, Env: l.Env, Files: []*os.File{conn}}) == nil {
			conn.Close()
			w.Wait("", 0)
			return
		}
	}
	p, err := priv.Start(priv.Child{
		Path: l.Path, Args: l.Command, Env: l.Env, Files: []*os.File{conn, conn, l.Log},
	})
	if err != nil {
		return
	}
	conn.Close()
	p.Wait()
}
