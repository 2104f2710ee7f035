package smtpd

import (
	"io"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/rfc822"
)

const (
	// MaxHandshake is after how long no read of a handshake begins, and how long one of them or a write may take.
	MaxHandshake = 30 * time.Second
	// maxFarewell is how long the end of TLS may take to say.
	maxFarewell = 5 * time.Second
)

// A Handshake puts TLS over a connection whose reads and writes end in time. After an error nothing more can be
// said there.
type Handshake func(plain *sys.Dialogue) (Channel, error)

// A Channel is a connection with TLS. An end that the client did not announce is an error of Read, and not io.EOF.
type Channel interface {
	io.ReadWriter
	// Name says what it is, as "TLS_AES_128_GCM_SHA256, TLS1.3".
	Name() string
	// MayRelay reports whether the client's certificate lets it send to anybody.
	MayRelay() (bool, error)
	// End announces the end to the client.
	End()
}

// implicit reports whether TLS comes before the greeting.
func (s *session) implicit() bool { return s.smtps && s.server.StartTLS != nil }

// locked reports whether a command has to wait for TLS.
func (s *session) locked(word string) bool {
	if s.server.StartTLS == nil || s.tls != nil || !s.forceTLS && s.server.Submission == nil {
		return false
	}
	switch word {
	case "ehlo", "starttls", "noop", "quit":
		return false
	case "auth":
		return s.server.Login == nil // which has a code of its own
	}
	return true
}

// startTLS begins TLS. What came with the command was sent by nobody knows whom, and may be meant to be taken for
// the client's own behind the handshake: the session ends with it.
func (s *session) startTLS(arg []byte) {
	switch {
	case s.server.StartTLS == nil:
		s.say("502 unimplemented (#5.5.1)")
	case len(arg) > 0:
		s.say("501 STARTTLS has no parameters (#5.5.4)")
	case s.tls != nil:
		s.say("503 TLS is on (#5.5.1)")
	case s.user != "": // who that is would have to be forgotten
		s.say("503 not after a login (#5.5.1)")
	default:
		begin, err := s.server.StartTLS()
		if err != nil {
			s.noTLS(err)
			return
		}
		s.say("220 ready for TLS")
		if s.in.Buffered() > 0 {
			s.server.Log.Say("commands came with STARTTLS")
			s.end(ended)
			return
		}
		if s.flush() == nil {
			s.handshake(begin)
		}
	}
}

func (s *session) noTLS(err error) {
	s.server.Log.Say("454 no TLS now (#4.7.0)", "because", err.Error())
	s.say("454 no TLS now (#4.7.0)")
}

// secure begins TLS with the connection.
func (s *session) secure() {
	begin, err := s.server.StartTLS()
	if err != nil {
		s.server.Log.Say("no TLS now (#4.7.0)", "because", err.Error())
		s.end(ended)
		return
	}
	s.handshake(begin)
}

// handshake puts TLS over the connection, and forgets all that was said before. The counts stay: they bound the client.
func (s *session) handshake(begin Handshake) {
	s.conn.Timeout(min(s.timeout, MaxHandshake))
	s.conn.Within(s.server.Now().Add(MaxHandshake))
	c, err := begin(s.conn)
	if err != nil {
		s.server.Log.Say("TLS failed", "because", err.Error())
		s.end(ended)
		return
	}
	s.conn.Timeout(s.timeout)
	s.wire, s.tls = c, c
	s.in.Reset(s)
	s.helo, s.greeted, s.enhanced, s.dsn, s.offeredUTF8 = "", false, false, false, false
	s.mailSeen, s.sender, s.barred = false, "", false
	s.recipients, s.count, s.full = s.recipients[:0], 0, false
	s.server.Log.Say("TLS: " + c.Name())
}

// hangUp tells the client that no more comes, so that it knows that nothing was cut off.
func (s *session) hangUp() {
	if s.tls != nil {
		s.conn.Timeout(min(s.timeout, maxFarewell))
		s.tls.End()
	}
}

// trusted reports whether the client's certificate makes it a relay client, which it then is. What cannot be found
// out makes it none.
func (s *session) trusted() bool {
	if s.tls == nil {
		return false
	}
	ok, err := s.tls.MayRelay()
	if err != nil {
		s.server.Log.Say("the client's certificate does not count", "because", err.Error())
	}
	s.relayClient = ok
	return ok
}

// protocol is what Received says that a message came by; RFC 3848 has the words. Without TLS and a login it is that of
// all qmails, whichever greeting the client used; with SMTPUTF8 it has those of RFC 6531, section 4.3.
func (s *session) protocol() string {
	mark := ""
	if s.relayClient && (s.userFilter != "" || s.server.Control.Signs()) {
		mark = " " + rfc822.RelayClient
	}
	secure := ""
	if s.tls != nil {
		secure = " (" + s.tls.Name() + ")"
	}
	word := "SMTP"
	if s.international {
		word = "UTF8SMTP"
	} else if s.tls != nil || s.user != "" {
		word = "ESMTP"
	}
	if s.tls != nil {
		word += "S"
	}
	if s.user != "" {
		return word + "A" + secure
	}
	return word + secure + mark
}
