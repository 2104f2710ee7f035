package authd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"qmail/internal/auth/authproto"
	"qmail/internal/auth/entries"
	"qmail/internal/auth/guess"
	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/text/cdb"
)

// database makes a users/auth.cdb in which joe@example.com has the password pw.
func database(t *testing.T) string {
	t.Helper()
	k, err := scram.NewKey([]byte("pw"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "auth.cdb")
	w, err := cdb.Create(path + ".tmp")
	if err == nil {
		err = entries.Build(bytes.NewReader(entries.Line("Joe@example.com", k)), nil, w.Add)
	}
	if err == nil {
		err = w.Commit(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A rig is a server with its log.
type rig struct {
	*Server
	mu  sync.Mutex
	log []string
}

func newRig(path string) *rig {
	r := &rig{}
	r.Server = &Server{
		Keys: func(name string) (string, scram.Key, bool, error) { return entries.Find(path, name) },
		Have: func() bool { _, err := os.Stat(path); return !errors.Is(err, os.ErrNotExist) },
		Say: func(address string, _ int, text, user string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.log = append(r.log, address+": "+text+" <"+user+">")
		},
	}
	return r
}

// A pipe is an end of a connection that has room for what the other end does not read yet.
type pipe struct {
	net.Conn
	out  chan []byte
	done chan struct{}
}

func (p pipe) Write(b []byte) (int, error) {
	select {
	case p.out <- bytes.Clone(b):
		return len(b), nil
	case <-p.done:
		return 0, io.ErrClosedPipe
	}
}

// connect returns the client's end of a connection that r serves.
func (r *rig) connect() net.Conn {
	here, there := net.Pipe()
	p := pipe{there, make(chan []byte, 64), make(chan struct{})}
	go func() {
		for {
			select {
			case b := <-p.out:
				there.Write(b)
			case <-p.done:
				return
			}
		}
	}()
	go func() {
		r.converse(p)
		there.Close()
		close(p.done)
	}()
	return here
}

func (r *rig) dial(t *testing.T) *authproto.Client {
	t.Helper()
	c, err := authproto.NewClient(r.connect())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var exporter = []byte("exporter of this connection")

// try has a user log in.
func try(t *testing.T, c *authproto.Client, mechanism, user, password, from string) authproto.Step {
	t.Helper()
	b := scram.Binding{}
	if mechanism == scram.Plus {
		b = scram.Binding{Exporter: exporter, Offered: true}
	}
	client, err := sasl.NewClient(mechanism, user, password, b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Begin(authproto.Request{Service: "smtp", Mechanism: mechanism, RemoteIP: from, Secured: true,
		ChannelBinding: exporter, Initial: client.Initial(), HasInitial: client.Initial() != nil})
	for err == nil && s.State == authproto.Continue {
		var answer []byte
		if answer, err = client.Next(s.Challenge); err != nil {
			t.Fatalf("%s: %v", mechanism, err)
		}
		s, err = c.Continue(answer)
	}
	if err != nil {
		t.Fatalf("%s: %v", mechanism, err)
	}
	if s.State == authproto.OK && client.Finish() != nil {
		t.Errorf("%s: the server proved nothing", mechanism)
	}
	return s
}

func TestEachMechanismLetsInWhoKnowsThePasswordAndNobodyElse(t *testing.T) {
	path := database(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(path)
		c := r.dial(t)
		defer c.Close()
		if m := strings.Join(c.Mechanisms(), " "); m != "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS" {
			t.Error(m)
		}
		for _, m := range c.Mechanisms() {
			r.book = guess.Book{}
			const from = "192.0.2.0"
			if s := try(t, c, m, "joe@Example.com", "pw", from); s.State != authproto.OK || s.User != "joe@example.com" {
				t.Errorf("%s: %+v", m, s)
			}
			var took []time.Duration
			for _, who := range [][2]string{{"joe@example.com", "pW"}, {"eve@example.com", "pw"}, {"eve@example.com", "x"}} {
				began := time.Now()
				if s := try(t, c, m, who[0], who[1], from); s.State != authproto.Fail || s.Temporary {
					t.Errorf("%s: %q: %+v", m, who, s)
				}
				took = append(took, time.Since(began))
			}
			if took[0] != failAfter || took[1] != failAfter || took[2] != failAfter {
				t.Errorf("%s: a name that is there is told from others by time: %v", m, took)
			}
		}
		if len(r.log) != 16 || r.log[0] != "192.0.2.0: ok PLAIN <joe@example.com>" ||
			r.log[1] != "192.0.2.0: failed PLAIN <joe@example.com>" {
			t.Errorf("%d: %q", len(r.log), r.log)
		}
	})
}

func TestWhatCannotBeReadIsATemporaryFailureAndNoFault(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, path := range []string{filepath.Join(dir, "absent"), damaged} {
			r := newRig(path)
			c := r.dial(t)
			if s := try(t, c, sasl.Plain, "joe", "pw", "192.0.2.1"); s.State != authproto.Fail || !s.Temporary {
				t.Errorf("%s: %+v", path, s)
			}
			if len(c.Mechanisms()) > 2 {
				s, err := c.Begin(authproto.Request{Mechanism: scram.Plain, Initial: []byte("n,,n=joe,r=x"), HasInitial: true})
				if err != nil || s.State != authproto.Fail || !s.Temporary {
					t.Errorf("%s: SCRAM: %+v %v", path, s, err)
				}
			}
			c.Close()
		}
	})
}

func TestGuessingIsSlowForTheGuesserAlone(t *testing.T) {
	path := database(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(path)
		c := r.dial(t)
		defer c.Close()
		began := time.Now()
		const guesses = 30
		for i := range guesses {
			try(t, c, sasl.Plain, "joe@example.com", fmt.Sprint(i), "2001:db8::"+fmt.Sprint(i))
		}
		if took := time.Since(began); took < guesses*10*time.Second {
			t.Errorf("%d guesses took %v", guesses, took)
		}
		// Many connections, one network: most are told to come again.
		temporary := 0
		var wg sync.WaitGroup
		var mu sync.Mutex
		for i := range 20 {
			wg.Go(func() {
				c := r.dial(t)
				defer c.Close()
				if s := try(t, c, sasl.Plain, fmt.Sprint("u", i), "x", "2001:db8::1"); s.Temporary {
					mu.Lock()
					temporary++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if temporary < 15 {
			t.Errorf("%d of 20 attempts were told to come again later", temporary)
		}
		began = time.Now()
		if s := try(t, c, sasl.Plain, "joe@example.com", "pw", "198.51.100.1"); s.State != authproto.OK {
			t.Errorf("joe, elsewhere: %+v", s)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("joe, elsewhere, waited %v", took)
		}
		began = time.Now()
		if try(t, c, sasl.Plain, "joe@example.com", "pw", "198.51.100.1"); time.Since(began) != 0 {
			t.Errorf("joe waited %v where he had logged in before", time.Since(began))
		}
	})
}

func TestAHostileSessionHarmsOnlyItself(t *testing.T) {
	path := database(t)
	const hello = "VERSION\t1\t2\nCPID\t7\n"
	begin := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "AUTH\t%d\tSCRAM-SHA-256\tresp=bixsbj1qb2Uscj14\n", i+1)
		}
		return b.String()
	}
	flood := strings.Repeat("AUTH\t1\tPLAIN\tresp=AGpvZQBwdw==\nCANCEL\t1\n", 200)
	for what, text := range map[string]string{
		"too many exchanges": begin(maxExchanges + 1), "one id twice": "AUTH\t1\tLOGIN\nAUTH\t1\tLOGIN\n",
		"a response to nothing": "CONT\t1\t\n", "no such thing": "USER\t1\n", "nonsense": "\x00\xff\n",
		"a response too early": "AUTH\t1\tPLAIN\tresp=AGpvZQBwdw==\nCONT\t1\t\n", "no greeting": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(path)
			conn := r.connect()
			defer conn.Close()
			go io.Copy(io.Discard, conn)
			if what != "no greeting" {
				io.WriteString(conn, hello)
			}
			io.WriteString(conn, text)
			began := time.Now()
			for {
				if _, err := conn.Write([]byte("CANCEL\t99\n")); err != nil {
					break
				}
				if time.Sleep(time.Second); time.Since(began) > time.Minute {
					t.Errorf("%s: it is still connected", what)
					break
				}
			}
			c := r.dial(t)
			defer c.Close()
			if s := try(t, c, scram.Plus, "joe@example.com", "pw", "198.51.100.2"); s.State != authproto.OK {
				t.Errorf("%s: joe: %+v", what, s)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(path)
		conn := r.connect()
		go io.Copy(io.Discard, conn)
		io.WriteString(conn, hello)
		io.WriteString(conn, flood) // given up at once: no exchange, and no goroutine, is left of it
		conn.Close()
		synctest.Wait()
	})
}
