//go:build linux

package main

import (
	"bufio"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// A sink takes mail over SMTP. It is outside the disks and forgets nothing: what it noted before it said 250 is
// delivered, whatever is cut.
type sink struct {
	l    net.Listener
	mu   sync.Mutex
	mail []sunk
	part float64 // of the recipients, put off
	bad  int     // messages that were not whole
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", sinkAddr)
	if err != nil {
		return nil, err
	}
	s := &sink{l: l, part: deferred}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s, nil
}

func (s *sink) close() { s.l.Close() }

func (s *sink) taken() []sunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sunk(nil), s.mail...)
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(words string) { c.Write([]byte(words + "\r\n")) }
	say("220 sink ESMTP")
	rcpts := 0
	for {
		l, err := r.ReadString('\n')
		if err != nil || len(l) < 4 {
			return
		}
		switch strings.ToUpper(l[:4]) {
		case "EHLO":
			say("250-sink\r\n250 PIPELINING")
		case "RCPT":
			if strings.Contains(l, refused) {
				say("553 nobody of that name")
				continue
			}
			if rand.Float64() < s.part {
				say("451 later")
				continue
			}
			rcpts++
			say("250 ok")
		case "DATA":
			if rcpts == 0 {
				say("503 no recipient")
				continue
			}
			say("354 go")
			if !s.data(r) {
				return
			}
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

func (s *sink) data(r *bufio.Reader) bool {
	var b []byte
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if l == ".\r\n" {
			break
		}
		b = append(b, strings.TrimPrefix(strings.TrimSuffix(l, "\r\n"), ".")...)
		b = append(b, '\n')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := only(b); id != "" {
		s.mail = append(s.mail, sunk{id, time.Now()})
	} else {
		s.bad++
	}
	return true
}
