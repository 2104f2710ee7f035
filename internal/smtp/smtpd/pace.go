package smtpd

import (
	"strconv"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/text/environ"
)

const (
	// maxPause and maxTarpit bound what control/greetdelay and tarpitdelay may say. Clients wait for five minutes
	// (RFC 5321, section 4.5.3.2), and not all of them for so long.
	maxPause, maxTarpit = 60, 60
	// maxNoted is how many refusals have lines in the log until a message is accepted: a session may earn many thousands
	// of 4xx.
	maxNoted = 200
)

// A pace is how strangers are slowed down.
type pace struct {
	greeting time.Duration // how long they wait for the greeting
	free     int           // how many recipients of a message are answered at once; 0: all
	delay    time.Duration // how long each further one waits
}

func readPace(dir control.Dir, env []string) (p pace, err error) {
	number := func(file string, most int, variables ...string) int {
		for _, v := range variables {
			if text, set := environ.Get(env, v); set {
				n, _ := control.ParseInt(text)
				return min(n, most)
			}
		}
		n, failed := dir.Int(file)
		if failed != nil {
			err = failed
		}
		return min(n, most)
	}
	p.greeting = time.Duration(number("greetdelay", maxPause, "GREETDELAY", "SMTPD_GREETDELAY")) * time.Second
	p.free = number("tarpitcount", 1<<31-1, "TARPITCOUNT")
	p.delay = time.Duration(number("tarpitdelay", maxTarpit, "TARPITDELAY")) * time.Second
	return p, err
}

// waits has a stranger wait for the greeting, and reports whether it did. Programs that only send, and read no reply,
// do not.
func (s *session) waits() bool {
	if s.pace.greeting == 0 || s.relayClient || s.tls != nil || s.server.Submission != nil {
		return true
	}
	if !s.conn.Awaits(s.pace.greeting) {
		return true
	}
	var b [replyRoom]byte
	s.conn.Within(s.server.Now().Add(s.timeout))
	if n, err := s.conn.Read(b[:]); n > 0 && err == nil { // else it is gone
		s.refuse("554 SMTP protocol violation: you spoke before the greeting (#5.5.1)")
	}
	s.end(ended)
	return false
}

// tarpit has a stranger with many recipients wait for the answer to the next one.
func (s *session) tarpit() {
	s.asked++
	if s.pace.free == 0 || s.asked <= s.pace.free || s.relayClient || s.trusted() {
		return
	}
	if !s.slowed {
		s.slowed = true
		s.server.Log.Say("slowed down after "+strconv.Itoa(s.pace.free)+" recipients", "from", s.sender, "helo", s.helo)
	}
	if s.flush() == nil { // who is gone is not waited for
		s.server.sleep(s.pace.delay)
	}
}

func (s *Server) sleep(d time.Duration) {
	if s.Sleep != nil {
		s.Sleep(d)
	} else {
		time.Sleep(d)
	}
}

// note writes what is refused to the log, as long as that is not too much.
func (s *session) note(reply string, wanted ...string) {
	s.noted++
	switch {
	case s.noted <= maxNoted:
		s.server.Log.Say(reply, wanted...)
	case s.noted == maxNoted+1:
		s.server.Log.Say("more is refused, which has no lines until a message is accepted")
	}
}
