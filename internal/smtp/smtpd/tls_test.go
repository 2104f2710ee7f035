package smtpd

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/sys"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

// certificate makes one of nobody.
func certificate(t *testing.T) tls.Certificate {
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
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A channel is TLS of the standard library.
type channel struct {
	*tls.Conn
	relay bool
}

func (c channel) Name() string {
	return tls.CipherSuiteName(c.ConnectionState().CipherSuite) + ", TLS1.3"
}
func (c channel) MayRelay() (bool, error) { return c.relay, nil }
func (c channel) End()                    { c.CloseWrite() }

// A plain is a connection as tls wants it.
type plain struct {
	*sys.Dialogue
	net.Conn // nil: of it nothing is used
}

func (p plain) Read(b []byte) (int, error)       { return p.Dialogue.Read(b) }
func (p plain) Write(b []byte) (int, error)      { return p.Dialogue.Write(b) }
func (p plain) SetWriteDeadline(time.Time) error { return nil }

// withTLS returns a server that has it.
func (w *world) withTLS(relay bool) Server {
	s := w.server()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(w.t)}}
	s.StartTLS = func() (Handshake, error) {
		return func(d *sys.Dialogue) (Channel, error) {
			conn := tls.Server(plain{Dialogue: d}, config)
			return channel{conn, relay}, conn.Handshake()
		}, nil
	}
	return s
}

// A guest is a client with a session of its own.
type guest struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	done chan exit.Code
}

func visit(t *testing.T, s Server) *guest {
	t.Helper()
	client, server := pair(t)
	client.SetDeadline(time.Now().Add(poll.Limit))
	g := &guest{t: t, conn: client, r: bufio.NewReader(client), done: make(chan exit.Code, 1)}
	go func() { code := s.Serve(server, server); server.Close(); g.done <- code }()
	return g
}

// reply reads one whole reply.
func (g *guest) reply() string {
	g.t.Helper()
	var all strings.Builder
	for {
		l, err := g.r.ReadString('\n')
		if err != nil {
			g.t.Fatalf("%q, then %v", all.String()+l, err)
		}
		all.WriteString(l)
		if len(l) > 3 && l[3] == ' ' {
			return all.String()
		}
	}
}

// say sends text and expects replies that begin so.
func (g *guest) say(text string, want ...string) {
	g.t.Helper()
	io.WriteString(g.conn, text)
	for _, w := range want {
		if got := g.reply(); !strings.HasPrefix(got, w) {
			g.t.Fatalf("%q was answered by %q, not %s", text, got, w)
		}
	}
}

// encrypt does the handshake.
func (g *guest) encrypt() {
	g.t.Helper()
	c := tls.Client(g.conn, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		g.t.Fatal(err)
	}
	g.conn, g.r = c, bufio.NewReader(c)
}

// rest returns what the server says until it closes.
func (g *guest) rest() string {
	b, _ := io.ReadAll(g.r)
	return string(b)
}

const message = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\nx\r\n.\r\n"

func TestAMessageOverTLSSaysSoAndOneWithoutIsAsEver(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "LOGREFUSED=")
	var log bytes.Buffer
	s := w.withTLS(false)
	s.Log = peerlog.Of(&log, "p", w.env, 7)
	for _, secure := range []bool{false, true} {
		w.queue = t.TempDir()
		w.env[1] = "FAKE_QUEUE=" + w.queue
		s.Queue = w.server().Queue
		g := visit(t, s)
		g.say("EHLO x\r\n", "220", "250-m.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
		if secure {
			g.say("STARTTLS\r\n", "220")
			g.encrypt()
			g.say("EHLO x\r\n", "250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
		}
		g.say(message+"QUIT\r\n", "250", "250", "354", "250", "221")
		if b, err := io.ReadAll(g.r); len(b) > 0 || err != nil {
			t.Errorf("at the end %q, %v", b, err)
		}
		if code := <-g.done; code != exit.OK {
			t.Error(code)
		}
		_, texts := w.queued()
		want := "Received: from unknown (HELO x) (10.1.2.3)\n  by l.test with SMTP; "
		if secure {
			want = "Received: from unknown (HELO x) (10.1.2.3)\n  by l.test with ESMTPS (TLS_AES_128_GCM_SHA256, TLS1.3); "
		}
		if len(texts) != 1 || !strings.HasPrefix(texts[0], want) {
			t.Errorf("%q", texts)
		}
	}
	if strings.Count(log.String(), "p: 10.1.2.3 pid 7: TLS: TLS_AES_128_GCM_SHA256, TLS1.3\n") != 1 {
		t.Errorf("%q", log.String())
	}
}

func TestWhatWasSaidBeforeTLSIsForgotten(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	g := visit(t, w.withTLS(false))
	g.say("EHLO before\r\nMAIL FROM:<evil@b>\r\nRCPT TO:<c@d>\r\nSTARTTLS\r\n", "220", "250", "250", "250", "220")
	g.encrypt()
	g.say("RCPT TO:<c@d>\r\nDATA\r\n", "503", "503")
	g.say(message+"QUIT\r\n", "250", "250", "354", "250", "221")
	envs, texts := w.queued()
	if len(envs) != 1 || envs[0] != "Fa@b\x00Tc@d\x00\x00" || strings.Contains(texts[0], "HELO") {
		t.Errorf("%q %q", envs, texts)
	}
}

// The fault of CVE-2011-0411: what somebody in between has put behind STARTTLS is taken for the client's own.
func TestNothingThatComesWithSTARTTLSIsAnswered(t *testing.T) {
	for _, injected := range []string{"NOOP\r\n", "EHLO x\r\n" + message, "\r\n", "N", "\x16"} {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		g := visit(t, w.withTLS(false))
		g.say("STARTTLS\r\n"+injected, "220", "220")
		if got := g.rest(); got != "" {
			t.Errorf("%q was answered by %q", injected, got)
		}
		if envs, _ := w.queued(); <-g.done != ended || len(envs) > 0 {
			t.Errorf("%q: %q", injected, envs)
		}
	}
}

func TestWhatComesInTheClearAfterSTARTTLSIsNoCommand(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	g := visit(t, w.withTLS(false))
	g.say("STARTTLS\r\n", "220", "220")
	io.WriteString(g.conn, message)
	if got := g.rest(); strings.Contains(got, "250") {
		t.Errorf("%q", got)
	}
	if envs, _ := w.queued(); <-g.done != ended || len(envs) > 0 {
		t.Errorf("%q", envs)
	}
}

func TestSTARTTLSIsForOnceAndHasNoParameters(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	s := w.withTLS(false)
	g := visit(t, s)
	g.say("STARTTLS now\r\nSTARTTLS\r\n", "220", "501", "220")
	g.encrypt()
	g.say("STARTTLS\r\nSTARTTLS x\r\nNOOP\r\nQUIT\r\n", "503", "501", "250", "221")
	ready, tries := s.StartTLS, 0
	s.StartTLS = func() (Handshake, error) {
		if tries++; tries == 1 {
			return nil, errors.New("no key")
		}
		return ready()
	}
	g = visit(t, s)
	g.say("STARTTLS\r\n", "220", "454")
	g.say("STARTTLS\r\n", "220")
	g.encrypt()
	g.say("QUIT\r\n", "221")
	g = visit(t, w.server())
	g.say("EHLO x\r\nSTARTTLS\r\nSTARTTLS x\r\nQUIT\r\n", "220", "250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n", "502",
		"502", "221")
}

func TestFORCETLSWantsItFirst(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "FORCETLS=")
	g := visit(t, w.withTLS(false))
	g.say("HELO x\r\nEHLO x\r\n"+strings.ReplaceAll(message, "\r\nx\r\n.\r\n", "")+
		"RSET\r\nHELP\r\nVRFY x\r\nFOO\r\nNOOP\r\n", "220", "530 STARTTLS first (#5.7.0)\r\n",
		"250", "530", "530", "530", "530", "530", "530", "530", "250")
	g.say("STARTTLS\r\n", "220")
	g.encrypt()
	g.say(message+"QUIT\r\n", "250", "250", "354", "250", "221")
	for _, s := range []Server{w.server(), newWorld(t, map[string]string{"me": "m.test\n"}, "FORCETLS=0").withTLS(false)} {
		visit(t, s).say("MAIL FROM:<a@b>\r\nQUIT\r\n", "220", "250", "221")
	}
}

func TestSMTPSBeginsWithTLS(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "SMTPS=")
	g := visit(t, w.withTLS(false))
	g.encrypt()
	g.say("EHLO x\r\n"+message+"STARTTLS\r\nQUIT\r\n", "220 m.test ESMTP",
		"250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
		"250", "250", "354", "250", "503", "221")
	s := w.withTLS(false)
	s.StartTLS = func() (Handshake, error) { return nil, errors.New("no key") }
	g = visit(t, s)
	if got := g.rest(); got != "" || <-g.done != ended {
		t.Errorf("without a key: %q", got)
	}
}

// Whoever can cut a connection must not be able to cut a message.
func TestAnEndThatTheClientDidNotAnnounceQueuesNothing(t *testing.T) {
	for _, announced := range []bool{false, true} {
		for _, text := range []string{"", "\r\n", "\r\nx", "\r\nx\r\n", "\r\nx\r\n.", "\r\nx\r\n.\r"} {
			w := newWorld(t, map[string]string{"me": "m.test\n"})
			g := visit(t, w.withTLS(false))
			raw := g.conn
			g.say("STARTTLS\r\n", "220", "220")
			g.encrypt()
			g.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "250", "250", "354")
			io.WriteString(g.conn, text)
			if announced {
				g.conn.(*tls.Conn).CloseWrite()
			}
			raw.(*net.TCPConn).CloseWrite()
			if code := <-g.done; code != ended {
				t.Errorf("%q: exit %d", text, code)
			}
			if envs, _ := w.queued(); len(envs) > 0 {
				t.Errorf("%q was queued", text)
			}
		}
	}
}

func TestAHandshakeHasLittleTime(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "timeoutsmtpd": "1\n"})
	for _, first := range []string{"", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} {
		g := visit(t, w.withTLS(false))
		g.say("STARTTLS\r\n", "220", "220")
		io.WriteString(g.conn, first)
		if got := g.rest(); strings.Contains(got, "250") {
			t.Errorf("%q", got)
		}
		if code := <-g.done; code != ended {
			t.Error(code)
		}
	}
}

func TestADripFedHandshakeRunsOutOfTime(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	s := w.withTLS(false)
	began := time.Now()
	late := false
	s.Now = func() time.Time {
		if late {
			return began.Add(100*time.Millisecond - MaxHandshake)
		}
		return began
	}
	ready := s.StartTLS
	s.StartTLS = func() (Handshake, error) { late = true; return ready() }
	g := visit(t, s)
	g.say("STARTTLS\r\n", "220", "220")
	io.WriteString(g.conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	for range time.Tick(20 * time.Millisecond) { // until the server has had enough
		if _, err := g.conn.Write([]byte("x")); err != nil {
			break
		}
	}
	if code := <-g.done; code != ended {
		t.Error(code)
	}
}

func TestAClientWhoseCertificateCountsMayRelay(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "here.test\n"})
	for relay, want := range map[bool]string{false: "553", true: "250"} {
		g := visit(t, w.withTLS(relay))
		g.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@far.test>\r\nSTARTTLS\r\n", "220", "250", "553", "220")
		g.encrypt()
		g.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@far.test>\r\nRCPT TO:<c@here.test>\r\nQUIT\r\n", "250", want, "250", "221")
	}
}

func TestAClientThatEndsWithoutGoodbyeGetsOne(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "timeoutsmtpd": "1\n"})
	g := visit(t, w.withTLS(false))
	g.say("STARTTLS\r\n", "220", "220")
	g.encrypt()
	if b, err := io.ReadAll(g.r); string(b) != "451 timeout (#4.4.2)\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
