package remote

import (
	"errors"
	"strconv"
	"strings"

	"qmail/internal/text/crlf"
	"qmail/internal/text/rfc822"
)

// Reply codes (RFC 5321, section 4.2.3). The greeting and the reply to EHLO must be what they should; to all else
// any code below refusedForNow is consent, as it always was.
const (
	greeting       = 220
	introduced     = 250
	refusedForNow  = 400
	closing        = 421
	refused        = 500
	unknownCommand = 500
	notImplemented = 502
)

// What the report says about connections, as it always has.
const (
	connectedTo   = "Connected to "
	onceAtMost    = " but connection died. (#4.4.2)\n"
	possiblyTwice = " but connection died. Possible duplicate! (#4.4.2)\n"

	permanent, soft = "D", "Z"
)

// letterOf is the report's letter for a refusal.
func letterOf(code uint64) string {
	if code >= refused {
		return permanent
	}
	return soft
}

// died reports a connection that ended too early, or hung.
func (s *session) died(o *output, text string) { o.part(soft, connectedTo, s.host(), text) }

// giveUp ends the session with a reply that leaves nothing more to do.
func (s *session) giveUp(o *output, letter, before, after string) {
	s.quit()
	o.part(letter, before, s.host(), after, ".\n", s.said())
}

// greet reads the greeting and introduces us. EHLO that is not understood is followed by HELO. It
// reports whether mail can be sent; if not the report is written.
func (s *session) greet(o *output) bool {
	code, err := s.reply()
	if err != nil {
		s.died(o, onceAtMost)
		return false
	}
	if code != greeting {
		s.giveUp(o, soft, connectedTo, " but greeting failed")
		return false
	}
	code, err = s.ask("EHLO " + s.helo + "\r\n")
	if err == nil && (code == unknownCommand || code == notImplemented) {
		code, err = s.ask("HELO " + s.helo + "\r\n")
	} else if err == nil && code == introduced {
		s.offers()
	}
	if err != nil {
		s.died(o, onceAtMost)
		return false
	}
	if code != introduced {
		s.giveUp(o, soft, connectedTo, " but my name was rejected")
		return false
	}
	return true
}

// ask sends a command, unless it was sent ahead, and reads the reply.
func (s *session) ask(command string) (uint64, error) {
	if s.flight == nil {
		if err := s.send(command); err != nil {
			return 0, err
		}
	}
	return s.reply()
}

const dataCommand = "DATA\r\n"

// mail is the MAIL command; it says what the server wants to know in advance (RFC 1870, RFC 6152).
func (s *session) mail(j *job) (string, error) {
	from := ""
	if j.sender != "" {
		from = rfc822.Quote(j.sender)
	}
	command := "MAIL FROM:<" + from + ">"
	if s.size || s.eightBit {
		if err := j.message.survey(); err != nil {
			return "", err
		}
		if s.size && j.message.size >= 0 {
			command += " SIZE=" + strconv.FormatInt(j.message.size, 10)
		}
		if s.eightBit && j.message.eight {
			command += " BODY=8BITMIME"
		}
	}
	return command + "\r\n", nil
}

func rcpt(addr string) string {
	if addr != "" {
		addr = rfc822.Quote(addr)
	}
	return "RCPT TO:<" + addr + ">\r\n"
}

// transact sends the message and writes the report. Again means that the connection was kept from an
// earlier delivery and turned out to be of no use before the server had agreed to take the message: another connection
// is to be tried. The session is closed, unless it can be used again.
func (s *session) transact(j *job, o *output) (again bool, err error) {
	mail, err := s.mail(j)
	if err != nil {
		s.close()
		return false, err
	}
	if s.pipelining {
		var b strings.Builder
		b.WriteString(mail)
		for _, a := range j.recipients {
			if sendable(a) {
				b.WriteString(rcpt(a))
			}
		}
		b.WriteString(dataCommand)
		s.sendAhead(b.String())
	}
	agreed, again := s.envelope(mail, j, o)
	if !agreed || again {
		s.close()
		return again && o.held, nil
	}
	return false, s.body(j.message, o)
}

// envelope sends MAIL, RCPT and DATA. Agreed means that the server waits for the message; otherwise the
// report is written, or to be written again.
func (s *session) envelope(mail string, j *job, o *output) (agreed, again bool) {
	code, err := s.ask(mail)
	switch {
	case err != nil:
		s.died(o, onceAtMost)
		return false, true
	case code >= refusedForNow:
		// A server may limit the messages of a connection; a fresh one tells whether it was that.
		s.giveUp(o, letterOf(code), connectedTo, " but sender was rejected")
		return false, true
	}
	anyone, again := s.recipients(j, o)
	if again {
		return false, true
	}
	if !anyone {
		s.nobody(o)
		return false, false
	}
	code, err = s.ask(dataCommand)
	if err == nil {
		err = s.landed()
	}
	switch {
	case err != nil:
		s.died(o, onceAtMost)
		return false, true
	case code >= refusedForNow:
		s.giveUp(o, letterOf(code), "", " failed on DATA command")
		return false, code == closing
	}
	return true, false
}

// recipients sends RCPT for each and reports on each. Anyone means that the server has accepted one.
func (s *session) recipients(j *job, o *output) (anyone, again bool) {
	for _, a := range j.recipients {
		if !sendable(a) {
			o.part("hSorry, a line end inside an address cannot be sent by SMTP. (#5.1.3)\n")
			continue
		}
		code, err := s.ask(rcpt(a))
		switch {
		case err != nil:
			s.died(o, onceAtMost)
			return false, true
		case code == closing && o.held:
			return false, true
		case code >= refused:
			o.part("h", s.host(), " does not like recipient.\n", s.said())
		case code >= refusedForNow:
			o.part("s", s.host(), " does not like recipient.\n", s.said())
		default:
			o.part("r")
			anyone = true
		}
	}
	return anyone, false
}

// nobody ends a session in which no recipient was accepted. A server that says go ahead to a DATA that was
// sent ahead gets nothing more, not even QUIT, which it would take for a message.
func (s *session) nobody(o *output) {
	if s.flight != nil {
		if code, err := s.reply(); err != nil || code < refusedForNow || s.landed() != nil {
			s.close()
		}
	}
	s.text = s.text[:0]
	s.giveUp(o, permanent, "Giving up on ", "")
}

// body sends the message and reads what became of it. From the final dot on the server may have it,
// whatever happens to the connection.
func (s *session) body(l *letter, o *output) error {
	err := l.send(s.w)
	switch {
	case errors.Is(err, crlf.ErrPartialLine):
		s.close()
		return errPartial
	case errors.Is(err, errRead):
		s.close()
		return errRead
	case err != nil:
		s.close()
		s.died(o, onceAtMost)
		return nil
	}
	code := uint64(0)
	if err = s.w.Flush(); err == nil {
		code, err = s.reply()
	}
	switch {
	case err != nil:
		s.close()
		s.died(o, possiblyTwice)
	case code >= refusedForNow:
		s.giveUp(o, letterOf(code), "", " failed after I sent the message")
	default:
		o.part("K", s.host(), " accepted message.\n", s.said())
		s.finished = true
	}
	return nil
}
