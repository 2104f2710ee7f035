package dns

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A query is what a test server was asked.
type query struct {
	id   uint16
	q    dnsmessage.Question
	tcp  bool
	edns bool
}

// A server answers with whatever packets the function returns.
type server struct {
	addr    netip.AddrPort
	mu      sync.Mutex
	queries []query
}

func (s *server) asked() []query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]query(nil), s.queries...)
}

// serve starts a server on UDP and TCP at one port of 127.0.0.1.
func serve(t testing.TB, answer func(query) [][]byte) *server {
	t.Helper()
	for range 20 {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{addr: u.LocalAddr().(*net.UDPAddr).AddrPort()}
		l, err := net.Listen("tcp", s.addr.String())
		if err != nil {
			u.Close()
			continue // the port is in use for TCP
		}
		t.Cleanup(func() { u.Close(); l.Close() })
		go s.udp(u, answer)
		go s.tcp(l, answer)
		return s
	}
	t.Fatal("no port")
	return nil
}

func (s *server) take(b []byte, tcp bool) (query, bool) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return query{}, false
	}
	q, err := p.Question()
	if err != nil {
		return query{}, false
	}
	p.SkipAllQuestions()
	p.SkipAllAnswers()
	p.SkipAllAuthorities()
	more, _ := p.AllAdditionals()
	x := query{h.ID, q, tcp, len(more) == 1 && more[0].Header.Type == dnsmessage.TypeOPT}
	s.mu.Lock()
	s.queries = append(s.queries, x)
	s.mu.Unlock()
	return x, true
}

func (s *server) udp(u *net.UDPConn, answer func(query) [][]byte) {
	b := make([]byte, 4096)
	for {
		n, from, err := u.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if x, ok := s.take(b[:n], false); ok {
			for _, a := range answer(x) {
				u.WriteToUDPAddrPort(a, from)
			}
		}
	}
}

func (s *server) tcp(l net.Listener, answer func(query) [][]byte) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var size [2]byte
			io.ReadFull(c, size[:])
			b := make([]byte, binary.BigEndian.Uint16(size[:]))
			io.ReadFull(c, b)
			x, ok := s.take(b, true)
			if !ok {
				return
			}
			for _, a := range answer(x) {
				c.Write(binary.BigEndian.AppendUint16(nil, uint16(len(a))))
				c.Write(a)
			}
		}()
	}
}

// resolver asks the given servers and is impatient.
func resolver(servers ...*server) *Resolver {
	r := &Resolver{conf: config{timeout: 300 * time.Millisecond, attempts: 2, ndots: 1}}
	for _, s := range servers {
		r.conf.servers = append(r.conf.servers, s.addr)
	}
	return r
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(s + ".") }

// A zone answers from a list of records.
type zone []dnsmessage.Resource

func rr(owner string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	h := dnsmessage.ResourceHeader{Name: name(owner), Class: dnsmessage.ClassINET, TTL: 60}
	switch body.(type) {
	case *dnsmessage.AResource:
		h.Type = dnsmessage.TypeA
	case *dnsmessage.AAAAResource:
		h.Type = dnsmessage.TypeAAAA
	case *dnsmessage.MXResource:
		h.Type = dnsmessage.TypeMX
	case *dnsmessage.CNAMEResource:
		h.Type = dnsmessage.TypeCNAME
	case *dnsmessage.PTRResource:
		h.Type = dnsmessage.TypePTR
	}
	return dnsmessage.Resource{Header: h, Body: body}
}

func a(owner, ip string) dnsmessage.Resource {
	return rr(owner, &dnsmessage.AResource{A: netip.MustParseAddr(ip).As4()})
}
func aaaa(owner, ip string) dnsmessage.Resource {
	return rr(owner, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(ip).As16()})
}
func mx(owner string, pref uint16, host string) dnsmessage.Resource {
	n := dnsmessage.MustNewName(host + ".")
	if host == "." {
		n = dnsmessage.MustNewName(".")
	}
	return rr(owner, &dnsmessage.MXResource{Pref: pref, MX: n})
}
func cname(owner, to string) dnsmessage.Resource {
	return rr(owner, &dnsmessage.CNAMEResource{CNAME: name(to)})
}
func ptr(owner, to string) dnsmessage.Resource {
	return rr(owner, &dnsmessage.PTRResource{PTR: name(to)})
}

// answer gives the records of the question's owner, following CNAMEs if told to.
func (z zone) answer(x query, follow bool) dnsmessage.Message {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: x.id, Response: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{x.q},
	}
	owner, known := x.q.Name, false
	for hops := 0; hops < 40; hops++ {
		var next *dnsmessage.Name
		for i := range z {
			if !same(z[i].Header.Name, owner) {
				continue
			}
			known = true
			if c, ok := z[i].Body.(*dnsmessage.CNAMEResource); ok {
				m.Answers = append(m.Answers, z[i])
				next = &c.CNAME
			} else if z[i].Header.Type == x.q.Type {
				m.Answers = append(m.Answers, z[i])
			}
		}
		if next == nil || !follow {
			break
		}
		owner, known = *next, false
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m
}

func pack(m dnsmessage.Message) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// serve answers all, truncating what is over size bytes on UDP.
func (z zone) serve(t testing.TB, size int) *server {
	return serve(t, func(x query) [][]byte {
		m := z.answer(x, true)
		b := pack(m)
		if !x.tcp && len(b) > size {
			m.Truncated, m.Answers = true, nil
			b = pack(m)
		}
		return [][]byte{b}
	})
}
