package remote

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/net/dns"
	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/smtp/tcpto"
)

// A peer is the server's end of one connection.
type peer struct {
	net.Conn
	r *bufio.Reader
}

func (p peer) send(s string) { io.WriteString(p, s) }

// line reads a command; it is empty when the client has gone.
func (p peer) line() string {
	l, err := p.r.ReadString('\n')
	if err != nil {
		return ""
	}
	return l
}

// data reads a message up to the final dot; ok is false when the client left before it.
func (p peer) data() (msg string, ok bool) {
	var b strings.Builder
	for {
		l, err := p.r.ReadString('\n')
		if err != nil {
			return b.String() + l, false
		}
		if l == ".\r\n" {
			return b.String(), true
		}
		b.WriteString(l)
	}
}

// A server runs the n-th script for the n-th connection, the last one for all that follow.
type server struct {
	addr string
	mu   sync.Mutex
	wire []string // what the client sent, by connection
	wg   sync.WaitGroup
}

func serve(t testing.TB, scripts ...func(peer)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String()}
	t.Cleanup(func() { l.Close(); s.wg.Wait() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.wire = append(s.wire, "")
			s.mu.Unlock()
			s.wg.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(poll.Limit))
				p := peer{c, bufio.NewReader(io.TeeReader(c, &transcript{s, n}))}
				scripts[min(n, len(scripts)-1)](p)
			})
		}
	}()
	return s
}

type transcript struct {
	s *server
	n int
}

func (x *transcript) Write(b []byte) (int, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if len(x.s.wire[x.n]) < 1<<20 {
		x.s.wire[x.n] += string(b)
	}
	return len(b), nil
}

// wires waits until the server has nothing open and returns what it was sent.
func (s *server) wires() []string {
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.wire...)
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wire)
}

// smtp is an ordinary server, which offers what offers says and answers a command as replies
// says, by its beginning, or with 250. It closes when a reply is "close".
func smtp(offers string, replies map[string]string) func(peer) {
	return func(p peer) {
		p.send("220 fake ESMTP\r\n")
		for {
			l := p.line()
			if l == "" {
				return
			}
			reply := "250 ok\r\n"
			switch {
			case strings.HasPrefix(l, "EHLO"):
				reply = "250-fake\r\n" + offers + "250 HELP\r\n"
			case strings.HasPrefix(l, "DATA"):
				reply = "354 go\r\n"
			case strings.HasPrefix(l, "QUIT"):
				return
			}
			for verb, r := range replies {
				if strings.HasPrefix(l, verb) {
					reply = r
				}
			}
			if reply == "close" {
				return
			}
			p.send(reply)
			if strings.HasPrefix(reply, "354") {
				if _, ok := p.data(); !ok {
					return
				}
				r := replies["."]
				if r == "close" {
					return
				}
				if r == "" {
					r = "250 taken\r\n"
				}
				p.send(r)
			}
		}
	}
}

const pipelining = "250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n"

// fakeDNS answers from maps; a missing host is not found, and an empty list is a temporary failure.
type fakeDNS struct {
	mx    map[string][]dns.MX
	addrs map[string][]string
	asked *int
}

func (f fakeDNS) MX(domain string) ([]dns.MX, error) {
	*f.asked++
	list, ok := f.mx[domain]
	if !ok {
		return nil, dns.ErrNotFound
	}
	if len(list) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return append([]dns.MX(nil), list...), nil
}

func (f fakeDNS) Addrs(host string) ([]netip.Addr, error) {
	list, ok := f.addrs[host]
	if !ok {
		return nil, dns.ErrNotFound
	}
	if len(list) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	var ips []netip.Addr
	for _, s := range list {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips, nil
}

// mxs makes a list of "preference host preference host".
func mxs(s string) (list []dns.MX) {
	words := strings.Fields(s)
	for i := 0; i < len(words); i += 2 {
		n, _ := control.ParseInt(words[i])
		list = append(list, dns.MX{Pref: uint16(n), Host: words[i+1]})
	}
	return list
}

// A rig is a Remote whose world is made of servers on this machine.
type rig struct {
	*Remote
	t     testing.TB
	hosts map[string]*server // by address and port; an absent one refuses, a nil one never answers
	dns   fakeDNS
	asked int
	tried []string
}

// newRig makes a Remote for which far.test is 10.0.0.1, where s listens.
func newRig(t testing.TB, s *server) *rig {
	t.Helper()
	g := &rig{t: t, hosts: map[string]*server{"10.0.0.1:25": s}}
	g.dns = fakeDNS{map[string][]dns.MX{}, map[string][]string{"far.test": {"10.0.0.1"}}, &g.asked}
	home := t.TempDir()
	for _, n := range []struct {
		name string
		size int
	}{{tcpto.Name4, 1024}, {tcpto.Name6, 2048}, {tcpto.NameQuirks, 8192}} {
		if err := os.WriteFile(filepath.Join(home, n.name), make([]byte, n.size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g.Remote = &Remote{
		Control: control.Dir(home), Dead: tcpto.Table(home), Pid: 1, Now: time.Now,
		Resolve: func() Resolver { return g.dns },
		Ours: func([]netip.Addr) (ipme.Set, error) {
			return ipme.Set{netip.MustParseAddr("127.0.0.1"): {}, netip.MustParseAddr("10.9.9.9"): {}}, nil
		},
		Dial: g.dial,
	}
	g.control("me", "me.test\n")
	g.control("timeoutremote", "1\n")
	t.Cleanup(g.Rest)
	return g
}

func (g *rig) control(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(string(g.Control), name), []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) dial(ctx context.Context, to netip.AddrPort, within time.Duration) (net.Conn, error) {
	g.tried = append(g.tried, to.String())
	s, ok := g.hosts[to.String()]
	if !ok {
		return Connect(ctx, netip.MustParseAddrPort("127.0.0.1:1"), within) // nobody listens there
	}
	if s == nil {
		return nil, os.ErrDeadlineExceeded
	}
	return Connect(ctx, netip.MustParseAddrPort(s.addr), within)
}

const testMessage = "Subject: x\n\nhello\n"

// send delivers a message and returns the report, with | for NUL.
func (g *rig) send(message string, args ...string) string {
	var out bytes.Buffer
	if code := g.Deliver(args, strings.NewReader(message), &out); code != 0 {
		g.t.Errorf("exit %d", code)
	}
	return strings.ReplaceAll(out.String(), "\x00", "|")
}

// usual delivers the usual message.
func (g *rig) usual() string { return g.send(testMessage, "far.test", "a@b.test", "c@far.test") }

const accepted = "r|K10.0.0.1 accepted message.\nRemote host said: 250 taken\n|"
