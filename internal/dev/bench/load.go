package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A source sends messages over SMTP.
type source struct {
	way      way
	sessions int    // at a time
	messages int    // in all
	per      int    // on each connection
	rcpts    int    // of each message; with none, a connection ends where messages would begin
	to       string // %d counts up modulo users
	users    int
	size     int // bytes of the body
}

// run sends all messages; the first error ends it.
func (s source) run() error {
	line := strings.Repeat("x", 70) + "\r\n"
	message := "Subject: load\r\n"
	if s.way == signing || s.way.strange() {
		message = header
	}
	message += "\r\n" + strings.Repeat(line, max(1, s.size/len(line)))
	if s.way.strange() {
		field, err := signature(message)
		if err != nil {
			return err
		}
		message = field + message
	}
	text := []byte(message + ".\r\n")
	var next atomic.Int64
	errs := make(chan error, s.sessions)
	for range s.sessions {
		go func() { errs <- s.session(&next, text) }()
	}
	var first error
	for range s.sessions {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (s source) session(next *atomic.Int64, text []byte) error {
	for {
		begin := next.Add(int64(s.per)) - int64(s.per)
		if begin >= int64(s.messages) {
			return nil
		}
		if err := s.connection(begin, min(begin+int64(s.per), int64(s.messages)), text); err != nil {
			return err
		}
	}
}

// connection sends messages begin to end on one connection.
func (s source) connection(begin, end int64, text []byte) error {
	address := smtpAddr
	if s.way == byLogin {
		address = submitAddr
	}
	c, err := s.way.dial(address)
	if err != nil {
		return err
	}
	defer func() { c.Close() }()
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	r := bufio.NewReader(c)
	say := func(want int, words string) error {
		if words != "" {
			if _, err := c.Write([]byte(words + "\r\n")); err != nil {
				return err
			}
		}
		return reply(r, want)
	}
	if err := say(220, ""); err != nil {
		return err
	}
	if err := say(250, "EHLO load.test"); err != nil {
		return err
	}
	if s.way.secure() {
		if err := say(220, "STARTTLS"); err != nil {
			return err
		}
		c = tls.Client(c, clientTLS())
		r = bufio.NewReader(c)
		if err := say(250, "EHLO load.test"); err != nil {
			return err
		}
	}
	if s.way == byLogin {
		if err := say(235, "AUTH PLAIN "+plainResponse()); err != nil {
			return err
		}
	}
	for i := begin; i < end && s.rcpts > 0; i++ {
		if err := say(250, "MAIL FROM:<"+s.sender()+">"); err != nil {
			return err
		}
		for k := range s.rcpts {
			n := (int(i)*s.rcpts + k) % s.users
			if err := say(250, "RCPT TO:<"+strings.ReplaceAll(s.to, "%d", strconv.Itoa(n))+">"); err != nil {
				return err
			}
		}
		if err := say(354, "DATA"); err != nil {
			return err
		}
		if _, err := c.Write(text); err != nil {
			return err
		}
		if err := reply(r, 250); err != nil {
			return err
		}
	}
	return say(221, "QUIT")
}

func (s source) sender() string {
	if s.way == byLogin {
		return login
	}
	return "sender@" + author
}

// reply reads one reply and compares its code.
func reply(r *bufio.Reader, want int) error {
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if len(l) > 3 && l[3] == '-' {
			continue
		}
		if !strings.HasPrefix(l, strconv.Itoa(want)) {
			return errors.New("answered " + strings.TrimSpace(l))
		}
		return nil
	}
}

// A sink takes messages over SMTP and counts recipients.
type sink struct {
	l     net.Listener
	tls   *tls.Config // nil: STARTTLS is not offered
	rcpts atomic.Int64
	bare  atomic.Int64 // transactions whose message has no signature
}

// newSink listens; each reply but those to pipelined commands comes after rtt.
func newSink(addr string, rtt time.Duration, secure bool) (*sink, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &sink{l: l}
	if secure {
		if s.tls, err = serverTLS(); err != nil {
			l.Close()
			return nil, err
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c, rtt)
		}
	}()
	return s, nil
}

func (s *sink) serve(c net.Conn, rtt time.Duration) {
	defer func() { c.Close() }()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	say := func(words string) {
		w.WriteString(words + "\r\n")
		if r.Buffered() == 0 {
			time.Sleep(rtt)
			w.Flush()
		}
	}
	say("220 sink ESMTP")
	rcpts := 0
	for {
		l, err := r.ReadString('\n')
		if err != nil || len(l) < 4 {
			return
		}
		switch strings.ToUpper(l[:4]) {
		case "EHLO":
			w.WriteString("250-sink\r\n")
			if s.tls != nil {
				w.WriteString("250-STARTTLS\r\n")
			}
			say("250 PIPELINING")
		case "STAR":
			say("220 go")
			c = tls.Server(c, s.tls)
			r, w = bufio.NewReader(c), bufio.NewWriter(c)
		case "RCPT":
			rcpts++
			say("250 ok")
		case "DATA":
			say("354 go")
			bare := int64(1)
			for l != ".\r\n" {
				if l, err = r.ReadString('\n'); err != nil {
					return
				}
				if strings.HasPrefix(l, "DKIM-Signature:") {
					bare = 0
				}
			}
			s.bare.Add(bare)
			s.rcpts.Add(int64(rcpts))
			rcpts = 0
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// injectMain runs an injection command many times, several at a time: "inject COUNT PARALLEL USERS COMMAND...", where
// %d in the command counts up modulo USERS. It is a process of its own so that the commands are in the meter's group.
func injectMain(args []string) {
	if len(args) < 4 {
		os.Exit(2)
	}
	count, _ := strconv.Atoi(args[0])
	parallel, _ := strconv.Atoi(args[1])
	users, _ := strconv.Atoi(args[2])
	text := []byte("Subject: load\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 29))
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				argv := make([]string, len(args)-3)
				for k, a := range args[3:] {
					argv[k] = strings.ReplaceAll(a, "%d", strconv.Itoa(int(i)%users))
				}
				c := exec.Command(argv[0], argv[1:]...)
				c.Stdin, c.Stderr = bytes.NewReader(text), os.Stderr
				if c.Run() != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		fmt.Fprintln(os.Stderr, n, "injections failed")
		os.Exit(1)
	}
}
