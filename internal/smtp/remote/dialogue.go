package remote

import (
	"strconv"
	"strings"
	"time"

	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/dsn"
)

// Reply codes (RFC 5321, section 4.2.3). The greeting and the reply to EHLO must be what they should; to all else
// any code below refusedForNow is consent, as it always was.
const (
	greeting      = 220
	introduced    = 250
	refusedForNow = 400
	closing       = 421
	refused       = 500
	badSequence   = 503
	tooLarge      = 552
)

// What the report says about connections, as it always has.
const (
	connectedTo   = "Connected to "
	onceAtMost    = " but connection died. (#4.4.2)\n"
	whileOthers   = " but it was silent while others waited. (#4.4.2)\n"
	possiblyTwice = " but connection died. Possible duplicate! (#4.4.2)\n"

	success, deferral, failure = 'K', 'Z', 'D'
)

// patience is how long a reply may take while there is a plainer way to ask for it, on another connection and with
// all the time that timeoutremote gives.
const patience = 30 * time.Second

// died ends an outcome with a connection that ended too early, or hung.
func (s *session) died(o *outcome, err error, text string) *outcome {
	s.close()
	o.code, o.said, o.silent = 0, "", timedOut(err)
	if s.hurry.hurried() && o.place < atEnd {
		text = whileOthers
	}
	o.message = answer{deferral, connectedTo + s.host() + text}
	return o
}

// refusal ends an outcome with what the host has said.
func (s *session) refusal(o *outcome, code uint64, letter byte, before, after string) *outcome {
	o.code, o.said = code, string(s.text)
	o.message = answer{letter, before + s.host() + after + ".\n" + s.said()}
	s.spent = s.spent || code == closing
	return o
}

// letterOf is the report's letter for a refusal.
func letterOf(code uint64) byte {
	if code >= refused {
		return failure
	}
	return deferral
}

// introduce reads the greeting and says who we are. An EHLO that is refused for good is followed by HELO. The outcome
// is nil when mail can be sent.
func (s *session) introduce(without tcpto.Ways) *outcome {
	ehlo := without&tcpto.Hello == 0
	o := s.outcome(ehlo)
	code, err := s.reply()
	if err != nil {
		return s.died(o, err, onceAtMost)
	}
	if code != greeting {
		return s.refusal(o, code, deferral, connectedTo, " but greeting failed")
	}
	return s.hello(o, ehlo)
}

// outcome returns one of a connection that is new.
func (s *session) outcome(ehlo bool) *outcome {
	return &outcome{first: true, ehlo: ehlo, peer: s.peer.Addr()}
}

// hello says who we are. What fails with EHLO may go well with HELO on another connection.
func (s *session) hello(o *outcome, ehlo bool) *outcome {
	s.ehlo, o.place = ehlo, atHello
	hello := "HELO " + s.helo + "\r\n"
	var code uint64
	var err error
	if ehlo {
		code, err = s.ask("EHLO "+s.helo+"\r\n", min(s.timeout, patience))
		if err == nil && code >= refused {
			code, err = s.ask(hello, s.timeout)
		} else if err == nil && code == introduced {
			s.offers()
		}
	} else {
		code, err = s.ask(hello, s.timeout)
	}
	if err == nil && code == introduced {
		return nil
	}
	if ehlo && (err != nil || code >= refusedForNow) {
		o.remedy = tcpto.Hello
	}
	if err != nil {
		return s.died(o, err, onceAtMost)
	}
	return s.refusal(o, code, deferral, connectedTo, " but my name was rejected")
}

// ask sends a command, unless it was sent ahead, and reads the reply.
func (s *session) ask(command string, within time.Duration) (uint64, error) {
	if s.flight == nil {
		if err := s.send(command); err != nil {
			return 0, err
		}
	}
	return s.replyBy(s.by(within))
}

const (
	dataCommand  = "DATA\r\n"
	resetCommand = "RSET\r\n"
)

// asks returns what is asked for, if the server is to be told: else its sender hears from whoever knows of that.
func (s *session) asks(j *job, without tcpto.Ways) (a dsn.Record) {
	if s.dsn && without&tcpto.Parameters == 0 {
		a = j.asked
	}
	return a
}

// mail is the MAIL command; it says what the server wants to know in advance (RFC 1870, RFC 6152), and what the sender
// asks for (RFC 3461).
func (s *session) mail(j *job, said saying, without tcpto.Ways) (command string, parameters bool, err error) {
	command = "MAIL FROM:<" + said.sender + ">"
	if said.utf8 {
		command += " SMTPUTF8" // nothing else lets these addresses through
	}
	if (s.size || s.eightBit) && without&tcpto.Parameters == 0 {
		if err := j.message.survey(); err != nil {
			return "", false, err
		}
		plain := len(command)
		if s.size && j.message.size >= 0 {
			command += " SIZE=" + strconv.FormatInt(j.message.size, 10)
		}
		if s.eightBit && j.message.eight {
			command += " BODY=8BITMIME"
		}
		parameters = len(command) > plain
	}
	if a := s.asks(j, without); a.Message != (dsn.Message{}) {
		command, parameters = command+parameter("RET", a.Ret)+parameter("ENVID", a.EnvID), true
	}
	return command + "\r\n", parameters, nil
}

// parameter returns one of a command; a value that is empty is none.
func parameter(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + "=" + value
}

// rcpt is the RCPT command for an address as it is said.
func rcpt(addr string, asked dsn.Recipient) string {
	return "RCPT TO:<" + addr + ">" + parameter("NOTIFY", asked.Notify.String()) + parameter("ORCPT", asked.Orcpt) + "\r\n"
}

// flightOf is all the commands before the message in one piece.
func flightOf(reset bool, mail string, recipients []string, asked dsn.Recipient) string {
	var b strings.Builder
	if reset {
		b.WriteString(resetCommand)
	}
	b.WriteString(mail)
	for _, a := range recipients {
		b.WriteString(rcpt(a, asked))
	}
	b.WriteString(dataCommand)
	return b.String()
}
