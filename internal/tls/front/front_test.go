package front

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

func config(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// connection returns the client's end of a TCP connection, and ours, which blocks.
func connection(t *testing.T) (*net.TCPConn, *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	t.Cleanup(func() { c.Close(); f.Close() })
	return c.(*net.TCPConn), f
}

// A watched connection knows whether it has ended, which crypto/tls takes for an announced end between records.
type watched struct {
	net.Conn
	ended bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.ended = w.ended || err != nil
	return n, err
}

// A world is a client and a server with a relay between them.
type world struct {
	raw     *net.TCPConn
	below   *watched
	client  *tls.Conn
	in, out *os.File // the server's
	gone    chan struct{}
	crashed bool
	over    chan error
}

func start(t *testing.T, version uint16, idle time.Duration) *world {
	t.Helper()
	raw, ours := connection(t)
	to, in, err := sys.OneWay()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := sys.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		raw: raw, below: &watched{Conn: raw}, in: in, out: out, gone: make(chan struct{}), over: make(chan error, 1),
	}
	w.client = tls.Client(w.below, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	c := &Client{In: ours, Out: ours}
	conf := config(t)
	go func() {
		if _, err := c.shake(conf, maxHandshake); err != nil {
			w.over <- err
			return
		}
		err := c.Relay(Server{To: to, From: from, Gone: w.gone, Crashed: &w.crashed}, idle)
		if err != nil {
			c.HangUp()
		}
		to.Close()
		from.Close()
		ours.Close()
		w.over <- err
	}()
	if err := w.client.Handshake(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return w
}

func TestTheServerMeetsAnEndOnlyWhereTheClientAnnouncedIt(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, announced := range []bool{false, true} {
			w := start(t, version, time.Minute)
			io.WriteString(w.client, "words")
			if announced {
				w.client.CloseWrite()
			}
			w.raw.CloseWrite()
			b, err := io.ReadAll(w.in)
			if string(b) != "words" || (err == nil) != announced {
				t.Errorf("announced %v: %q, %v", announced, b, err)
			}
			if !announced {
				if err := <-w.over; !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Error(err)
				}
				continue
			}
			w.out.WriteString("the answer comes all the same") // and the client, half closed, reads it
			w.out.Close()
			close(w.gone)
			if b, err := io.ReadAll(w.client); string(b) != "the answer comes all the same" || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			if err := <-w.over; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTheClientIsToldOfAnEndUnlessTheServerCrashed(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := start(t, 0, time.Minute)
		w.out.WriteString("half a mess")
		w.crashed = crashed
		w.out.Close()
		close(w.gone)
		b, err := io.ReadAll(w.client)
		if told := err == nil && !w.below.ended; string(b) != "half a mess" || told == crashed {
			t.Errorf("crashed %v: %q, %v, told %v", crashed, b, err, told)
		}
		if err := <-w.over; errors.Is(err, ErrCrashed) != crashed {
			t.Error(err)
		}
	}
}

func TestAServerThatDoesNotListenIsStillHeard(t *testing.T) {
	w := start(t, 0, time.Minute)
	w.in.Close()
	for range 50 { // some of it meets the closed end
		io.WriteString(w.client, "more and more")
	}
	w.out.WriteString("goodbye")
	w.out.Close()
	close(w.gone)
	if b, err := io.ReadAll(w.client); string(b) != "goodbye" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWhereNothingMovesTheSessionEndsAndWhereSomethingDoesItGoesOn(t *testing.T) {
	const idle = time.Second
	w := start(t, 0, idle)
	end := time.Now().Add(idle * 3 / 2)
	for time.Now().Before(end) { // one direction is enough
		if _, err := w.out.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idle / 100)
	}
	if _, err := io.ReadFull(w.client, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	if err := <-w.over; !errors.Is(err, ErrIdle) {
		t.Error(err)
	}
	if _, err := w.in.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server reads %v", err)
	}
}

func TestAClientThatReadsNothingDoesNotKeepTheSession(t *testing.T) {
	w := start(t, 0, 300*time.Millisecond)
	go func() {
		b := make([]byte, 1<<20)
		for {
			if _, err := w.out.Write(b); err != nil {
				return
			}
		}
	}()
	if err := <-w.over; !errors.Is(err, ErrIdle) {
		t.Error(err)
	}
}

func TestAHandshakeThatStopsDripsOrIsNoneEnds(t *testing.T) {
	const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for name, first := range map[string]string{
		"nothing": "", "half a hello": hello, "a command": "NOOP\r\n", "SSL 2": "\x80\x2e\x01\x00\x02",
		"a long record": "\x16\x03\x01\xff\xff" + string(make([]byte, 70000)), "an alert": "\x15\x03\x01\x00\x02\x02\x28",
		"TLS 1.1": "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02" + string(make([]byte, 33)) + "\x00\x02\xc0\x09\x01\x00",
	} {
		raw, ours := connection(t)
		io.WriteString(raw, first)
		c := &Client{In: ours, Out: ours}
		if _, err := c.shake(config(t), 100*time.Millisecond); err == nil {
			t.Errorf("%s is a handshake", name)
		}
	}
	raw, ours := connection(t)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		io.WriteString(raw, hello)
		for range time.Tick(10 * time.Millisecond) {
			if _, err := raw.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	c := &Client{In: ours, Out: ours}
	if _, err := c.shake(config(t), 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	c.HangUp()
	<-stop
}
