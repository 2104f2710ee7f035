// Package client finds out who is at the other end of a connection: addresses, names in the DNS, and the
// user's name by RFC 1413.
package client

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/net/ident"
	"qmail/internal/net/proxy"
	"qmail/internal/site/control"
	"qmail/internal/sys/inet"
	"qmail/internal/text/ascii"
	"qmail/internal/text/tcpenv"
)

// Options say what to find out besides the addresses and their names.
type Options struct {
	Ident   bool          // the user's name
	Timeout time.Duration // how long to wait for that
	// Header is what a balancer has said of the connection, where it began with that; nil: it did not.
	Header *proxy.Header
}

// Default are the options of a tcp-env without any.
func Default() Options { return Options{Timeout: 30 * time.Second} }

// Args returns the options as tcp-env has them on its command line.
func (o Options) Args() []string {
	args := []string{"-R"}
	if o.Ident {
		args = []string{"-r", "-t" + strconv.Itoa(int(o.Timeout/time.Second))}
	}
	if o.Header != nil {
		args = append(args, "-p"+o.Header.String())
	}
	return args
}

// ParseArgs reads what Args wrote.
func ParseArgs(args []string) (Options, bool) {
	o := Default()
	for _, a := range args {
		switch {
		case a == "-r":
			o.Ident = true
		case a == "-R":
			o.Ident = false
		case len(a) > 2 && a[:2] == "-t":
			n, ok := control.ParseInt(a[2:])
			if !ok {
				return o, false
			}
			o.SetTimeout(n)
		case len(a) > 2 && a[:2] == "-p":
			h, ok := proxy.ParseHeader(a[2:])
			if !ok {
				return o, false
			}
			o.Header = &h
		default:
			return o, false
		}
	}
	return o, true
}

// SetTimeout sets the timeout in seconds.
func (o *Options) SetTimeout(seconds int) {
	const longest = 24 * 60 * 60
	o.Timeout = time.Duration(min(seconds, longest)) * time.Second
}

// refusal is how long a host that has refused to be asked for users is not asked again.
const refusal = time.Second

// A Finder finds out about the connections of one process, one after the other. The zero value is ready.
type Finder struct {
	refused netip.Addr // the last host that runs no ident server
	at      time.Time  // when it said so
}

// Of finds out about the one connection of a process.
func Of(conn *os.File, o Options, resolvConf string) (tcpenv.Conn, error) {
	return new(Finder).Of(conn, o, resolvConf)
}

// Of finds out about a connection. An error means that it is no TCP connection; what is not to be found out is
// left empty. resolvConf names the DNS servers.
func (f *Finder) Of(conn *os.File, o Options, resolvConf string) (tcpenv.Conn, error) {
	local, remote, err := inet.Ends(conn)
	if err != nil {
		return tcpenv.Conn{}, err
	}
	passedOn := o.Header != nil && o.Header.Known()
	if passedOn {
		local, remote = o.Header.Destination, o.Header.Source
	}
	c := tcpenv.Conn{
		Proto:   "TCP",
		LocalIP: text(local.Addr()), LocalPort: strconv.Itoa(int(local.Port())),
		RemoteIP: text(remote.Addr()), RemotePort: strconv.Itoa(int(remote.Port())),
	}
	if remote.Addr().Is6() {
		c.Proto = "TCP6"
	}
	if !local.Addr().IsLoopback() || !remote.Addr().IsLoopback() {
		c.LocalHost, c.RemoteHost = names(dns.Open(resolvConf), local.Addr(), remote.Addr())
	}
	if o.Ident && !passedOn { // the client's host knows of no connection with us
		c.RemoteInfo = f.user(local, remote, o.Timeout)
	}
	return c, nil
}

// user returns the name of the connection's user, as its host tells it.
func (f *Finder) user(local, remote netip.AddrPort, d time.Duration) string {
	if f.refused == remote.Addr() && time.Since(f.at) < refusal {
		return ""
	}
	name, err := ident.Ask(local, remote, d)
	if errors.Is(err, syscall.ECONNREFUSED) {
		f.refused, f.at = remote.Addr(), time.Now()
	}
	return name
}

func text(ip netip.Addr) string { return ip.WithZone("").String() }

// names asks for the names of both at the same time.
func names(r *dns.Resolver, local, remote netip.Addr) (here, there string) {
	done := make(chan string, 1)
	go func() { done <- name(r, local) }()
	there = name(r, remote)
	return <-done, there
}

// name returns the first name of an address in the DNS. A loopback address is this machine's own business: what a
// server says of it means nothing, and local mail must not wait for one.
func name(r *dns.Resolver, ip netip.Addr) string {
	if ip.IsLoopback() {
		return ""
	}
	names, err := r.PTR(ip.WithZone(""))
	if err != nil || len(names) == 0 {
		return ""
	}
	return ascii.LowerString(names[0])
}
