package authproto

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"qmail/internal/sys"
)

// hello is the greeting of Dovecot 2.3.19, as it was recorded.
const hello = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tANONYMOUS\tanonymous\n" +
	"MECH\tEXTERNAL\tprivate\nSPID\t3\nCUID\t1\nCOOKIE\t1f\nDONE\n"

// ask gives what a client gets from a server that greets, reads a line, and says answer.
func ask(t *testing.T, greeting, answer string, q Request) (line string, s Step, err error) {
	t.Helper()
	here, there := net.Pipe()
	lines := make(chan string, 1)
	go func() {
		defer there.Close()
		r := bufio.NewReader(there)
		r.ReadString('\n')
		r.ReadString('\n')
		io.WriteString(there, greeting)
		l, _ := r.ReadString('\n')
		lines <- l
		io.WriteString(there, answer)
	}()
	c, err := NewClient(here)
	if err != nil {
		return "", Step{}, err
	}
	defer c.Close()
	s, err = c.Begin(q)
	if err == ErrMechanism {
		return "", s, err
	}
	return <-lines, s, err
}

func TestARequestIsWhatDovecotWants(t *testing.T) {
	line, s, err := ask(t, hello, "OK\t1\tuser=joe@example.com\n", Request{Service: "smtp", Mechanism: "plain",
		RemoteIP: "192.0.2.1", LocalIP: "192.0.2.2", Secured: true, Initial: []byte("\x00joe\x00pw"), HasInitial: true,
		ChannelBinding: []byte("x")})
	want := "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tsecured=tls\tlip=192.0.2.2\trip=192.0.2.1\tresp=AGpvZQBwdw==\n"
	if line != want {
		t.Errorf("%q", line)
	}
	if s.State != OK || s.User != "joe@example.com" || err != nil {
		t.Errorf("%v %v", s, err)
	}
}

func TestOnlyTheAnswerToThisRequestCounts(t *testing.T) {
	for answer, want := range map[string]Step{
		"FAIL\t1\tuser=joe\n":                         {User: "joe"},
		"OK\t7\tuser=eve\nFAIL\t1\n":                  {},
		"MECH\tX\nSOMETHING\nCONT\t1\t\n":             {State: Continue},
		"CONT\t1\tYWI=\n":                             {State: Continue, Challenge: []byte("ab")},
		"CONT\t1\n":                                   {State: Continue},
		"FAIL\t1\ttemp\n":                             {Temporary: true},
		"FAIL\t1\tuser=joe\tcode=temp_fail\n":         {User: "joe", Temporary: true},
		"FAIL\t1\tcode=user_disabled\treason=gone\n":  {Reason: "gone"},
		"FAIL\t1\tuser=a\x01nb\treason=a\x01nX: y\n":  {},
		"OK\t1\tresp=eA==\tuser=joe=x\tsomething=1\n": {State: OK, User: "joe=x"},
	} {
		_, s, err := ask(t, hello, answer, Request{Mechanism: "PLAIN"})
		if !reflect.DeepEqual(s, want) || err != nil {
			t.Errorf("%q: %+v %v", answer, s, err)
		}
	}
}

func TestAnAnswerThatIsNoneLetsNobodyIn(t *testing.T) {
	for _, answer := range []string{"", "OK\t1\tuser=\n", "OK\t1\n", "OK\n", "OK\tx\tuser=joe\n", "OK\t+1\tuser=joe\n",
		"OK\t4294967297\tuser=joe\n", "OK\t1\tuser=joe", "OK\t1\tuser=joe\r\n", "OK\t1\tuser=j\x00oe\n",
		"OK\t1\tuser=j\x01xoe\n", "OK\t1\tuser=joe\x01\n", "FAIL\t2\nOK\t1\tuser=a\x01tb\n",
		"OK\t1\tuser=" + strings.Repeat("x", maxUser+1) + "\n", "CONT\t1\tYWI\n", "CONT\t1\tYWJ=\n",
		"FAIL\t3\tx=" + strings.Repeat("x", maxLine) + "\nOK\t1\tuser=a",
		strings.Repeat("FAIL\t9\n", maxStray) + "OK\t1\tuser=joe\n"} {
		if _, s, err := ask(t, hello, answer, Request{Mechanism: "PLAIN"}); err == nil || s.State != Fail {
			t.Errorf("%.40q: %+v %v", answer, s, err)
		}
	}
}

func TestAGreetingThatIsNoneIsAnError(t *testing.T) {
	for _, g := range []string{"", "DONE\n", "VERSION\t2\t0\nDONE\n", "VERSION\nDONE\n", "220 mx ESMTP\r\n",
		"VERSION\t1\t2\n",
		"VERSION\t1\t2\n" + strings.Repeat("MECH\tX\n", maxGreeting), strings.Repeat("x", 2*maxLine), "\n", "\x01\nDONE\n"} {
		if _, err := NewClient(script{strings.NewReader(g)}); err == nil {
			t.Errorf("%.30q: %v", g, err)
		}
	}
}

func TestAServerThatCannotBeAskedIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := Dial(path); err != sys.ErrNobody {
		t.Error(err)
	}
	l, err := sys.ListenLocal(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Stop()
	go func() {
		if f, _, err := l.Accept(); err == nil {
			io.WriteString(f, hello)
			bufio.NewReader(f).ReadString('P') // CPID: the client has said who it is
			f.Close()
		}
	}()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s, err := c.Begin(Request{Mechanism: "PLAIN"}); err == nil {
		t.Errorf("%+v of a server that is gone", s)
	}
}

func TestOnlyAMechanismOfTheServerIsAsked(t *testing.T) {
	for _, m := range []string{"ANONYMOUS", "EXTERNAL", "LOGIN", "", "PLAIN\tresp=", "SCRAM-SHA-256-PLUS"} {
		if _, _, err := ask(t, hello, "", Request{Mechanism: m, ChannelBinding: []byte("x")}); err != ErrMechanism {
			t.Errorf("%q: %v", m, err)
		}
	}
	foreign := "VERSION\t1\t2\nMECH\tSCRAM-SHA-256-PLUS\tmutual-auth\nDONE\n"
	q := Request{Mechanism: "SCRAM-SHA-256-PLUS", ChannelBinding: []byte("x")}
	if _, _, err := ask(t, foreign, "", q); err != ErrMechanism {
		t.Errorf("a -PLUS of which we do not know how it is told the binding: %v", err)
	}
	own := "VERSION\t1\t2\nMECH\tSCRAM-SHA-256-PLUS\tmutual-auth\ttls-exporter\nDONE\n"
	if line, _, _ := ask(t, own, "FAIL\t1\n", q); !strings.Contains(line, "\tcbind=eA==\n") {
		t.Errorf("%q", line)
	}
	q.ChannelBinding = nil
	if _, _, err := ask(t, own, "", q); err != ErrMechanism {
		t.Errorf("a -PLUS with nothing to bind to: %v", err)
	}
}

// pair makes both ends, connected.
func pair(t *testing.T, mechs ...Mechanism) (*Client, *Server) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	made := make(chan *Server)
	go func() {
		// The greetings of both ends cross: each writes before it reads.
		s, err := NewServer(buffered(there), mechs, 1, 1)
		if err != nil {
			t.Error(err)
		}
		made <- s
	}()
	c, err := NewClient(here)
	if err != nil {
		t.Fatal(err)
	}
	return c, <-made
}

// A writer behind a goroutine: a net.Pipe has no room of its own.
type roomy struct {
	net.Conn
	out chan []byte
}

func buffered(c net.Conn) net.Conn {
	r := roomy{c, make(chan []byte, 16)}
	go func() {
		for b := range r.out {
			c.Write(b)
		}
	}()
	return r
}

func (r roomy) Write(b []byte) (int, error) {
	r.out <- bytes.Clone(b)
	return len(b), nil
}

func TestBothEndsUnderstandEachOther(t *testing.T) {
	c, s := pair(t, Mechanism{"PLAIN", true}, Mechanism{"SCRAM-SHA-256", false}, Mechanism{"SCRAM-SHA-256-PLUS", false})
	if m := c.Mechanisms(); !slices.Equal(m, []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}) {
		t.Error(m)
	}
	type result struct {
		Step
		err error
	}
	results := make(chan result)
	do := func(f func() (Step, error)) {
		go func() { s, err := f(); results <- result{s, err} }()
	}
	next := func(want Command) {
		t.Helper()
		got, err := s.Next(time.Now().Add(time.Minute))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v %v", got, err)
		}
	}
	got := func(want Step) {
		t.Helper()
		if r := <-results; r.err != nil || !reflect.DeepEqual(r.Step, want) {
			t.Fatalf("%+v", r)
		}
	}
	q := Request{Service: "smtp", Mechanism: "SCRAM-SHA-256-PLUS", RemoteIP: "2001:db8::1", LocalIP: "::1", Secured: true,
		ChannelBinding: []byte{0, 9, 10, 255}, HasInitial: true}
	do(func() (Step, error) { return c.Begin(q) })
	next(Command{Kind: Auth, ID: 1, Request: q})
	s.Continue(1, []byte("\x00\t\n"))
	got(Step{State: Continue, Challenge: []byte("\x00\t\n")})
	if _, err := c.Begin(q); err != ErrState {
		t.Error(err)
	}
	response := bytes.Repeat([]byte{1}, MaxResponse)
	do(func() (Step, error) { return c.Continue(response) })
	next(Command{Kind: Cont, ID: 1, Response: response})
	s.OK(1, "j=o\x7e e")
	got(Step{State: OK, User: "j=o\x7e e"})
	if _, err := c.Continue(nil); err != ErrState {
		t.Error(err)
	}
	// The failure of an exchange that was given up comes while the next one waits.
	do(func() (Step, error) { return c.Begin(Request{Mechanism: "PLAIN"}) })
	next(Command{Kind: Auth, ID: 2, Request: Request{Mechanism: "PLAIN"}})
	s.Continue(2, nil)
	got(Step{State: Continue})
	do(func() (Step, error) { return Step{}, c.Cancel() })
	next(Command{Kind: Cancel, ID: 2})
	got(Step{})
	do(func() (Step, error) { return c.Begin(Request{Mechanism: "PLAIN"}) })
	next(Command{Kind: Auth, ID: 3, Request: Request{Mechanism: "PLAIN"}})
	s.OK(2, "eve")
	s.Fail(3, Failure{User: "joe", Temporary: true})
	got(Step{User: "joe", Temporary: true})
}

func TestASilentServerAndOneThatDripsAreTemporaryFailures(t *testing.T) {
	for what, serve := range map[string]func(net.Conn){
		"says nothing": func(net.Conn) {},
		"drips": func(c net.Conn) {
			for range int(2 * patience / time.Second) {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		},
		"sends what is for others": func(c net.Conn) {
			for range int(2 * patience / time.Second) {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "FAIL\t9\n"); err != nil {
					return
				}
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				defer there.Close()
				r := bufio.NewReader(there)
				r.ReadString('\n')
				r.ReadString('\n')
				io.WriteString(there, hello)
				r.ReadString('\n')
				serve(there)
				io.Copy(io.Discard, r)
			}()
			c, err := NewClient(here)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { c.Close(); <-ended }()
			began := time.Now()
			_, err = c.Begin(Request{Mechanism: "PLAIN"})
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != patience {
				t.Errorf("%s: %v after %v", what, err, time.Since(began))
			}
			if _, again := c.Begin(Request{Mechanism: "PLAIN"}); again != err {
				t.Errorf("%s: asked again: %v", what, again)
			}
		})
	}
}

func TestAServerHearsNoNonsense(t *testing.T) {
	for _, l := range []string{"AUTH\n", "AUTH\t1\n", "AUTH\t1\t\n", "AUTH\t1\tPL AIN\n", "AUTH\tx\tPLAIN\n",
		"AUTH\t1\tPLAIN\tresp=x\n",
		"AUTH\t1\tPLAIN\tresp=eA==\trip=::1\n", "AUTH\t1\tPLAIN\trip=a\x01nb\n", "AUTH\t1\tPLAIN\tservice=a\x01tb\n",
		"AUTH\t1\tPLAIN\tresp=" + strings.Repeat("AAAA", MaxResponse/3+1) + "\n", "AUTH\t1\tPLAIN\tcbind=!\n",
		"CONT\t1\n", "CONT\t1\tx\n", "CONT\t1\teA==\t\n", "CANCEL\t1\tx\n", "CANCEL\n",
		"QUIT\t1\n", "\n", "AUTH\t1\tPLAIN\r\n",
		strings.Repeat("x", 2*maxLine), "AUTH\t1\tPLAIN"} {
		if c, err := hear(l); err == nil {
			t.Errorf("%.40q: %v", l, c)
		}
	}
	for _, g := range []string{"", "VERSION\t1\t2\n", "CPID\t1\nVERSION\t1\t2\n", "VERSION\t1\t2\nCPID\tx\n",
		"VERSION\t2\t1\nCPID\t1\n",
		"GET / HTTP/1.0\r\n\r\n"} {
		if _, err := hears(g); err == nil {
			t.Errorf("%q is a greeting", g)
		}
	}
}

// A script is a connection whose other end has said all that it ever says.
type script struct{ io.Reader }

func (script) Write(b []byte) (int, error)      { return len(b), nil }
func (script) Close() error                     { return nil }
func (script) SetReadDeadline(time.Time) error  { return nil }
func (script) SetWriteDeadline(time.Time) error { return nil }

func hears(text string) (*Server, error) {
	return NewServer(script{strings.NewReader(text)}, []Mechanism{{"PLAIN", true}}, 1, 1)
}

func hear(line string) (Command, error) {
	s, err := hears("VERSION\t1\t2\nCPID\t1\n" + line)
	if err != nil {
		return Command{}, err
	}
	return s.Next(time.Time{})
}

func FuzzServer(f *testing.F) {
	f.Add("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tsecured=tls\tlip=::1\trip=::1\tresp=eA==\n")
	f.Add("CONT\t1\teA==\nCANCEL\t1\n")
	f.Add("AUTH\t1\tX\tcbind=eA==\tresp=\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := hear(text)
		if err != nil || c.Kind != Auth {
			return
		}
		// What is understood is said again so that it is understood alike.
		again, err := hear(string(c.Request.append(nil, c.ID, true)))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%+v %+v %v", c, again, err)
		}
	})
}

func FuzzClient(f *testing.F) {
	f.Add(hello, "OK\t1\tuser=joe\n")
	f.Add(hello, "FAIL\t2\nCONT\t1\teA==\n")
	f.Add(hello, "FAIL\t1\ttemp\treason=x\n")
	f.Fuzz(func(t *testing.T, greeting, answer string) {
		c, err := NewClient(script{strings.NewReader(greeting + answer)})
		if err != nil {
			return
		}
		for _, m := range c.Mechanisms() {
			if mechanism(m) != m || m == "" {
				t.Errorf("%q is a mechanism", m)
			}
		}
		if len(c.mechs) == 0 {
			return
		}
		s, err := c.Begin(Request{Mechanism: c.mechs[0], ChannelBinding: []byte("x")})
		if err != nil && !reflect.DeepEqual(s, Step{}) {
			t.Errorf("%v and %+v", err, s)
		}
		if s.State == OK && s.User == "" || !printable(s.User, maxUser) || !printable(s.Reason, maxReason) {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("a\tb\x01\x00\r\n=")
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := split(appendField(nil, "k=", s))
		if err != nil || len(fields) != 2 || string(fields[1]) != "k="+s {
			t.Errorf("%q %v", fields, err)
		}
	})
}

func TestEachClientOfAProcessHasANumberOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		here, there := net.Pipe()
		go NewClient(here)
		r := bufio.NewReader(there)
		r.ReadString('\n')
		l, err := r.ReadString('\n')
		var n uint32
		if fmt.Sscanf(l, "CPID\t%d\n", &n); err != nil || n == 0 || seen[l] {
			t.Errorf("%q %v", l, err)
		}
		seen[l] = true
		there.Close()
	}
}
