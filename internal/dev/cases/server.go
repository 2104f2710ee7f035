package cases

import (
	"bytes"
	"net"
	"sync"
	"time"

	"qmail/internal/dev/poll"
)

// A ServerSpec is a scripted SMTP server.
type ServerSpec struct {
	Name    string   `json:"name"`
	Addr    string   `json:"addr"`
	Refuse  bool     `json:"refuse"`
	Script  []Step   `json:"script"`
	Scripts [][]Step `json:"scripts"` // for the first connection, the second and so on
}

// A Step is what a server does next: one of its fields.
type Step struct {
	Send  *string  `json:"send"`
	Line  int      `json:"line"`  // wait for so many lines
	Data  any      `json:"data"`  // wait for the end of a message
	Bytes int      `json:"bytes"` // wait for so many bytes
	Sleep float64  `json:"sleep"`
	Rst   any      `json:"rst"`
	Hold  *float64 `json:"hold"` // seconds of silence
	Close any      `json:"close"`
}

// A server plays a ServerSpec.
type server struct {
	spec     ServerSpec
	listener net.Listener
	mu       sync.Mutex
	wire     []string // what each connection sent
	talking  sync.WaitGroup
}

func startServer(spec ServerSpec) (*server, error) {
	addr := spec.Addr
	if addr == "" {
		addr = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		return nil, err
	}
	s := &server{spec: spec, listener: l}
	if spec.Refuse {
		l.Close()
		return s, nil
	}
	go s.accept()
	return s, nil
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) accept() {
	scripts := s.spec.Scripts
	if len(scripts) == 0 {
		scripts = [][]Step{s.spec.Script}
	}
	for n := 0; ; n++ {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.wire = append(s.wire, "")
		s.mu.Unlock()
		s.talking.Add(1)
		go s.serve(&peer{server: s, n: n, c: c.(*net.TCPConn)}, scripts[min(n, len(scripts)-1)])
	}
}

// sent returns what each connection has sent so far.
func (s *server) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.wire...)
}

// A peer is one connection.
type peer struct {
	server *server
	n      int
	c      *net.TCPConn
	buf    []byte
}

// more reads what comes within d.
func (p *peer) more(d time.Duration) bool {
	b := make([]byte, 65536)
	p.c.SetReadDeadline(time.Now().Add(d))
	n, _ := p.c.Read(b)
	p.server.mu.Lock()
	p.server.wire[p.n] += string(b[:n])
	p.server.mu.Unlock()
	p.buf = append(p.buf, b[:n]...)
	return n > 0
}

// until reads until end finds where what is waited for ends.
func (p *peer) until(end func([]byte) int) bool {
	for {
		if n := end(p.buf); n >= 0 {
			p.buf = p.buf[n:]
			return true
		}
		if !p.more(poll.Limit) {
			return false
		}
	}
}

func lineEnd(b []byte) int { return after(b, "\n") }

func messageEnd(b []byte) int {
	if n := after(b, "\r\n.\r\n"); n >= 0 {
		return n
	}
	if bytes.HasPrefix(b, []byte(".\r\n")) {
		return len(b)
	}
	return -1
}

// after returns where the first text in b ends, or -1.
func after(b []byte, text string) int {
	if i := bytes.Index(b, []byte(text)); i >= 0 {
		return i + len(text)
	}
	return -1
}

func (s *server) serve(p *peer, script []Step) {
	defer s.talking.Done()
	defer p.c.Close()
	for _, st := range script {
		if !s.step(p, st) {
			return
		}
	}
	for p.more(2 * time.Second) {
	}
}

// step does one step; false ends the connection.
func (s *server) step(p *peer, st Step) bool {
	switch {
	case st.Send != nil:
		_, err := p.c.Write([]byte(raw(*st.Send)))
		return err == nil
	case st.Line > 0:
		for range st.Line {
			if !p.until(lineEnd) {
				return false
			}
		}
	case st.Data != nil:
		return p.until(messageEnd)
	case st.Bytes > 0:
		return p.until(func(b []byte) int {
			if len(b) < st.Bytes {
				return -1
			}
			return st.Bytes
		})
	case st.Sleep > 0:
		time.Sleep(time.Duration(st.Sleep * float64(time.Second)))
	case st.Rst != nil:
		p.c.SetLinger(0)
		return false
	case st.Hold != nil:
		end := time.Now().Add(time.Duration(*st.Hold * float64(time.Second)))
		for time.Now().Before(end) && p.more(time.Until(end)) {
		}
	default:
		return false
	}
	return true
}
