//go:build linux

package peers

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testserver"
)

// kill ends the processes of a program in the hardest way; it waits until there is one.
func (q *qmail) kill(program string) {
	q.t.Helper()
	q.wait(program, func() (killed bool) {
		for _, p := range q.processes() {
			if p.program == program {
				killed = syscall.Kill(p.pid, syscall.SIGKILL) == nil || killed
			}
		}
		return killed
	})
}

// A caller is a client of SMTP, with TLS from some time on.
type caller struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func call(t *testing.T, address string) *caller {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(poll.Limit))
	return &caller{t, c, bufio.NewReader(c)}
}

// say says lines, each of which has a reply; it returns the last.
func (c *caller) say(lines ...string) (reply string) {
	c.t.Helper()
	for _, l := range lines {
		io.WriteString(c, l)
		for reply = "   -"; len(reply) > 3 && reply[3] == '-'; {
			var err error
			if reply, err = c.r.ReadString('\n'); err != nil {
				c.t.Fatalf("%q: %v", l, err)
			}
		}
	}
	return reply
}

func (c *caller) encrypt() {
	c.t.Helper()
	s := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := s.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.Conn, c.r = s, bufio.NewReader(s)
}

func TestAServerThatIsKilledQueuesNothingHalfAndTheNextClientIsServed(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.passwords()
	for _, program := range []string{"qmail-smtpsd", "qmail-submitd"} {
		address, _ := testserver.Serve(t, program)
		c := call(t, address)
		c.say("", "EHLO x\r\n", "STARTTLS\r\n")
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01") // the first bytes of a handshake
		q.kill(program)
		if b, _ := io.ReadAll(c.r); len(b) > 0 {
			t.Errorf("%s said %q", program, b)
		}
		c = call(t, address)
		c.say("", "EHLO x\r\n", "STARTTLS\r\n")
		c.encrypt()
		var login []string
		if program == "qmail-submitd" { // nobody who has not logged in gets further
			if got := c.say("MAIL FROM:<joe@m.test>\r\n"); !strings.HasPrefix(got, "530 ") {
				t.Errorf("%q", got)
			}
			name := base64.StdEncoding.EncodeToString([]byte("\x00joe@m.test\x00secret"))
			login = []string{"EHLO x\r\n", "AUTH PLAIN " + name + "\r\n"}
		}
		c.say(append(login, "MAIL FROM:<joe@m.test>\r\n", "RCPT TO:<c@m.test>\r\n", "DATA\r\n")...)
		io.WriteString(c, "Subject: half\r\n\r\n"+strings.Repeat("x\r\n", 100_000))
		q.kill(program)
		if b, _ := io.ReadAll(c.r); len(b) > 0 {
			t.Errorf("%q was the answer to half a message", b)
		}
		q.wait("an empty queue", func() bool {
			text, _ := filepath.Glob(home("queue/mess/*/*"))
			envelopes, _ := filepath.Glob(home("queue/[it][no][td][do]/*")) // intd and todo
			return len(text)+len(envelopes) == 0
		})
		c = call(t, address)
		c.say("", "EHLO x\r\n", "STARTTLS\r\n")
		c.encrypt()
		got := c.say(append(login, "MAIL FROM:<joe@m.test>\r\n", "RCPT TO:<c@m.test>\r\n", "DATA\r\n",
			"Subject: whole\r\n\r\nx\r\n.\r\n")...)
		if !strings.HasPrefix(got, "250 ") || !strings.Contains(got, " ok ") ||
			!strings.Contains(testserver.Queued(t), "\nSubject: whole\n") {
			t.Errorf("%q", got)
		}
	}
}

// remote is a server that stops where it is told to: in the handshake, in the text of a message, or not at all. Each
// connection that has come there is told.
func remote(t *testing.T, stops chan string, there chan<- bool) (port string) {
	t.Helper()
	private, public := testserver.Pair(t)
	certificate, err := tls.X509KeyPair([]byte(public), []byte(private))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			where := <-stops
			c.SetDeadline(time.Now().Add(poll.Limit))
			var conn net.Conn = c
			r := bufio.NewReader(conn)
			fmt.Fprint(conn, "220 far.test ESMTP\r\n")
			for text := false; ; {
				line, err := r.ReadString('\n')
				if err != nil {
					break
				}
				switch verb, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " "); {
				case text && verb == ".":
					fmt.Fprint(conn, "250 ok\r\n")
					text = false
					there <- true
				case text:
				case verb == "EHLO" && conn == c:
					fmt.Fprint(conn, "250-far.test\r\n250 STARTTLS\r\n")
				case verb == "STARTTLS":
					fmt.Fprint(conn, "220 go\r\n")
					if where == "handshake" {
						there <- true
						io.ReadAll(conn)
						break
					}
					conn = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
					r = bufio.NewReader(conn)
				case verb == "DATA":
					fmt.Fprint(conn, "354 go\r\n")
					if text = true; where == "text" {
						there <- true
						io.ReadAll(conn)
					}
				default:
					fmt.Fprint(conn, "250 ok\r\n")
				}
			}
			c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func TestARemoteProgramThatIsKilledIsADeferral(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	stops, there := make(chan string, 1), make(chan bool)
	port := remote(t, stops, there)
	q.configure()
	q.maildir("me")
	q.control("tlsroutes", ":encrypt\n", "smtproutes", "far.test:[127.0.0.1]:"+port+"\n")
	q.start()
	for i, where := range []string{"handshake", "text"} {
		stops <- where
		if i == 0 {
			q.inject("Subject: x\n\nhello\n", "you@far.test")
		} else {
			q.signal("ALRM")
		}
		<-there
		q.kill("qmail-tlsremote")
		q.waitLog(strings.Repeat(`(?s:deferral: .*crashed.*)`, i+1))
	}
	stops <- ""
	q.signal("ALRM")
	<-there
	q.waitLog(`success: 127.0.0.1_accepted_message`)
	q.waitEmpty()
	if bounces := q.messages("me"); len(bounces) > 0 {
		t.Errorf("%q", bounces)
	}
	q.stop()
}
