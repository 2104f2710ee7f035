package remote

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/ascii"
)

const (
	// maxText is how much of a reply goes into the report.
	maxText = 5000
	// maxReply bounds the bytes read for one reply.
	maxReply = 1 << 20
	// surelyBuffered is less than any system's socket buffer.
	surelyBuffered = 4 << 10
	// quitWithin is how long QUIT may take: it is a courtesy.
	quitWithin = 2 * time.Second
)

var errReplyTooLong = errors.New("reply too long")

// A session is an SMTP connection to one server.
type session struct {
	c       net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	name    string // of the host, as the DNS or smtproutes has it
	sure    bool   // of that, as a candidate has it
	peer    netip.AddrPort
	timeout time.Duration // for each reply, and for each part of the message
	end     *time.Time    // when the delivery must be over
	hurry   *hurry
	text    []byte // of the reply read last

	helo       string
	pipelining bool
	size       bool
	maxSize    int64 // what the host says it takes; 0: it does not say
	eightBit   bool
	dsn        bool // RFC 3461
	utf8       bool // RFC 6531
	rcptMax    int  // RFC 9422; 0: it does not say
	mailMax    int
	quirk      tcpto.Quirk
	offersTLS  bool
	mechanisms []string // of logins
	secret     bool     // TLS is spoken

	policy *Policy     // that the connection was made under; nil: there is no TLS here
	facts  string      // about the connection, for the report
	quiet  func() bool // what a Shaken has

	flight chan error // the commands sent ahead are written when it has something

	ehlo      bool // EHLO was said, not only HELO
	inherited bool // from an earlier delivery, and not used in this one
	closed    bool
	spent     bool      // the host has said that it takes nothing more
	committed bool      // the final dot may have been sent, and not been answered
	open      bool      // a transaction has begun and not ended: RSET comes before another
	used      bool      // it has had a transaction
	mails     int       // transactions
	taken     int       // recipients that it has accepted
	finished  bool      // the last delivery ended with the message accepted
	since     time.Time // when it was opened
	wanted    target    // the target that led here last
	asked     time.Time // when that was looked up
}

func newSession(c net.Conn, peer netip.AddrPort, j *job) *session {
	s := &session{c: c, peer: peer, timeout: j.timeoutRemote, end: &j.end, helo: j.helo, since: j.now, hurry: &hurry{}}
	s.r = bufio.NewReaderSize(c, 2<<10)
	s.w = bufio.NewWriterSize(timed{s: s}, pieceSize)
	return s
}

// timed gives each piece of output its own time.
type timed struct {
	s     *session
	ahead bool // replies are read meanwhile, and it is these that are waited for
}

func (t timed) Write(p []byte) (int, error) {
	t.s.c.SetWriteDeadline(t.s.by(t.s.timeout))
	if !t.s.committed && !t.ahead {
		t.s.hurry.begin(func() { t.s.c.SetWriteDeadline(time.Unix(1, 0)) })
		defer t.s.hurry.end()
	}
	return t.s.c.Write(p)
}

// by is when something must have happened that may take d.
func (s *session) by(d time.Duration) time.Time {
	t := time.Now().Add(d)
	if !s.end.IsZero() && s.end.Before(t) {
		return *s.end
	}
	return t
}

// host is the server as the report names it.
func (s *session) host() string { return s.peer.Addr().String() }

// send writes commands, and waits until they are on their way.
func (s *session) send(commands string) error {
	if _, err := s.w.WriteString(commands); err != nil {
		return err
	}
	return s.w.Flush()
}

// sendAhead writes commands whose replies are read later. What surely fits into the buffers between here and there
// is written at once; the rest while the replies are read, so that neither side waits for the other with both
// directions full.
func (s *session) sendAhead(commands string) {
	done := make(chan error, 1) // the session may be closed, and forgotten, before it has something
	s.flight = done
	write := func() {
		_, err := io.WriteString(timed{s, true}, commands)
		done <- err
	}
	if len(commands) <= surelyBuffered {
		write()
	} else {
		go write()
	}
}

// landed waits for the end of sendAhead.
func (s *session) landed() error {
	if s.flight == nil {
		return nil
	}
	err := <-s.flight
	s.flight = nil
	return err
}

// reply reads one reply, all of it within the timeout. The code is that of its first line: three bytes
// taken for digits whatever they are, so that a short or a garbled line reads as it always has. The reply
// ends with the first line whose fourth byte is no hyphen. Its text is kept without CRs.
func (s *session) reply() (code uint64, err error) { return s.replyBy(s.by(s.timeout)) }

func (s *session) replyBy(t time.Time) (code uint64, err error) {
	s.c.SetReadDeadline(t)
	if !s.committed {
		s.hurry.begin(func() { s.c.SetReadDeadline(time.Unix(1, 0)) })
		defer s.hurry.end()
	}
	s.text = s.text[:0]
	left := maxReply
	next := func() (c byte) {
		if err != nil {
			return '\n'
		}
		if left--; left < 0 {
			err = errReplyTooLong
			return '\n'
		}
		if c, err = s.r.ReadByte(); err != nil {
			return '\n'
		}
		if c != '\r' && len(s.text) < maxText {
			s.text = append(s.text, c)
		}
		return c
	}
	digits := func() (n uint64) {
		for range 3 {
			n = n*10 + uint64(next()) - '0'
		}
		return n
	}
	code = digits()
	c := next()
	for ; c == '-' && err == nil; c = next() {
		for err == nil && next() != '\n' {
		}
		digits()
	}
	for err == nil && c != '\n' {
		c = next()
	}
	return code, err
}

// said returns the text of the last reply as the report has it.
func (s *session) said() string {
	if len(s.text) == 0 {
		return ""
	}
	return "Remote host said: " + string(s.text)
}

// factLine is the line behind what an accepting host has said, where there is more to say than qmail ever did.
func (s *session) factLine() string {
	if s.facts == "" {
		return ""
	}
	if n := len(s.text); n > 0 && s.text[n-1] != '\n' {
		return "\n" + s.facts + "\n"
	}
	return s.facts + "\n"
}

// offers notes what the reply to EHLO offers (RFC 5321, section 4.1.1.1).
func (s *session) offers() {
	lines := strings.Split(string(s.text), "\n")
	for _, l := range lines[1:] {
		if len(l) < 5 {
			continue
		}
		word, arg, _ := strings.Cut(l[4:], " ")
		s.pipelining = s.pipelining || ascii.Equal(word, "PIPELINING")
		if ascii.Equal(word, "SIZE") {
			n, _ := control.ParseInt(arg)
			s.size, s.maxSize = true, int64(n)
		}
		s.eightBit = s.eightBit || ascii.Equal(word, "8BITMIME")
		s.utf8 = s.utf8 || ascii.Equal(word, "SMTPUTF8")
		if ascii.Equal(word, "LIMITS") {
			s.limits(arg)
		}
		s.dsn = s.dsn || ascii.Equal(word, "DSN")
		if ascii.Equal(word, "AUTH") {
			s.mechanisms = strings.Split(arg, " ")
		}
		s.offersTLS = s.offersTLS || ascii.Equal(word, "STARTTLS")
	}
}

// usable reports whether a session can have a transaction, if there is a session at all.
func (s *session) usable(without tcpto.Ways) bool {
	switch {
	case s == nil || s.closed || s.spent || s.worn():
		return false
	case s.inherited || !s.used:
		return true
	}
	return (s.quirk.Without|without)&tcpto.Keeping == 0
}

func (s *session) close() {
	s.closed = true
	s.c.Close()
}

// quit says QUIT and closes. It does not wait for the reply, and not for commands that are still being sent.
func (s *session) quit() {
	if s.closed {
		return
	}
	if s.flight == nil || len(s.flight) > 0 {
		s.c.SetWriteDeadline(time.Now().Add(quitWithin))
		io.WriteString(s.c, "QUIT\r\n")
	}
	s.close()
}
