package remote

import (
	"errors"
	"time"

	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/crlf"
	"qmail/internal/text/dsn"
)

// endWithin is how long the answer to the final dot may take in any case: the host may have the message, and
// whoever does not wait for it sends it twice (RFC 5321, section 4.5.3.2.6).
const endWithin = 10 * time.Minute

// transact sends the message to some recipients. The connection is closed if it can have no other transaction.
func (s *session) transact(j *job, recipients []string, without tcpto.Ways) *outcome {
	without |= s.quirk.Without
	o := &outcome{
		first: !s.used, ehlo: s.ehlo, taken: s.taken, alone: len(recipients) == 1, peer: s.peer.Addr(),
		honest: s.quirk.Without&tcpto.Honest != 0, pipelined: s.pipelining && without&tcpto.Pipelining == 0,
		place: atMail,
	}
	said := s.saying(j, recipients)
	if said.impossible {
		return s.speechless(o)
	}
	mail, parameters, err := s.mail(j, said, without)
	if err != nil {
		return s.unreadable(o)
	}
	reset := s.open
	o.asked = s.asks(j, without)
	o.parameters = parameters || o.asks()
	s.used, s.inherited, s.open, s.finished = true, false, true, false
	s.mails++
	if o.pipelined {
		s.sendAhead(flightOf(reset, mail, said.recipients, o.asked.Recipient))
	}
	if !s.envelope(j, o, reset, mail, said.recipients) {
		return o
	}
	return s.body(j.message, o, j)
}

// unreadable ends a transaction for want of the message.
func (s *session) unreadable(o *outcome) *outcome {
	s.close()
	o.ours, o.message = true, answer{deferral, errRead.Error() + "\n"}
	return o
}

// envelope sends MAIL, RCPT and DATA. It is true when the server waits for the message.
func (s *session) envelope(j *job, o *outcome, reset bool, mail string, recipients []string) bool {
	within := s.timeout
	if !o.plain() {
		within = min(within, patience)
	}
	if reset {
		if code, err := s.ask(resetCommand, within); err != nil || code >= refusedForNow {
			s.died(o, err, onceAtMost)
			return false
		}
	}
	code, err := s.ask(mail, within)
	switch {
	case err != nil:
		s.died(o, err, onceAtMost)
		return false
	case code >= refusedForNow:
		s.refusal(o, code, letterOf(code), connectedTo, " but sender was rejected")
		o.tooLarge = code == tooLarge && s.maxSize > 0 && j.message.size > s.maxSize
		s.settle(len(recipients), within)
		return false
	}
	o.place = atRecipients
	anyone := false
	for i, a := range recipients {
		code, err := s.ask(rcpt(a, o.asked.Recipient), within)
		if err != nil {
			s.died(o, err, onceAtMost)
			return false
		}
		switch {
		case code < refusedForNow:
			o.recipients = append(o.recipients, answer{letter: 'r'})
			anyone = true
			continue
		case code >= refused:
			o.recipients = append(o.recipients, s.dislike('h', i))
		default:
			o.recipients = append(o.recipients, s.dislike('s', i))
		}
		o.code, o.said = code, string(s.text)
		if code == closing {
			// What comes after it is nobody's answer.
			o.message = answer{deferral, connectedTo + s.host() + onceAtMost}
			if len(recipients) == 1 {
				o.message = answer{failure, givingUp(s.host())}
			}
			s.spent = true
			return false
		}
	}
	if !anyone {
		o.message = answer{failure, givingUp(s.host())}
		s.settle(0, within)
		return false
	}
	o.place = atData
	code, err = s.ask(dataCommand, within)
	if err == nil {
		err = s.landed()
	}
	switch {
	case err != nil:
		s.died(o, err, onceAtMost)
		return false
	case code >= refusedForNow:
		s.refusal(o, code, letterOf(code), "", " failed on DATA command")
		return false
	}
	return true
}

func givingUp(host string) string { return "Giving up on " + host + ".\n" }

// maxRefusal is how much of each refusal is kept where there are many.
const maxRefusal = 500

// dislike is the part of the report about the i-th recipient, refused.
func (s *session) dislike(letter byte, i int) answer {
	said := s.said()
	if i > 100 {
		said = said[:min(len(said), maxRefusal)]
	}
	return answer{letter, s.host() + " does not like recipient.\n" + said}
}

// settle reads what is still to come of commands that were sent ahead: n replies to RCPT, and one to DATA. A server
// that goes ahead for nobody gets an empty message, which it refuses or forgets (RFC 2920, section 3.1); one that
// goes ahead for somebody would deliver it.
func (s *session) settle(n int, within time.Duration) {
	if s.flight == nil {
		return
	}
	nobody, code := true, uint64(0)
	for i := 0; i <= n && code != closing; i++ {
		var err error
		if code, err = s.replyBy(s.by(within)); err != nil {
			s.close()
			return
		}
		nobody = nobody && (i == n || code >= refusedForNow)
	}
	if code == closing || s.landed() != nil || code < refusedForNow && !nobody {
		s.close()
		return
	}
	if code < refusedForNow {
		if _, err := s.ask(".\r\n", within); err != nil {
			s.close()
		}
	}
}

// body sends the message and reads what became of it. From the final dot on the server may have it, whatever
// happens to the connection.
func (s *session) body(l *letter, o *outcome, j *job) *outcome {
	o.place = atBody
	err := l.send(paced{s, &j.end})
	switch {
	case errors.Is(err, crlf.ErrPartialLine):
		s.close()
		o.ours, o.message = true, answer{failure, errPartial.Error() + "\n"}
		return o
	case errors.Is(err, errRead):
		return s.unreadable(o)
	case err != nil:
		return s.died(o, err, onceAtMost)
	}
	o.place, s.committed = atEnd, true
	code := uint64(0)
	if err = s.w.Flush(); err == nil {
		t := time.Now().Add(min(s.timeout, endWithin))
		if usual := s.by(s.timeout); usual.After(t) {
			t = usual
		}
		code, err = s.replyBy(t)
	}
	switch {
	case err != nil:
		return s.died(o, err, possiblyTwice)
	case code >= refusedForNow:
		s.committed = false
		return s.refusal(o, code, letterOf(code), "", " failed after I sent the message")
	}
	for _, a := range o.recipients {
		if a.letter == 'r' {
			s.taken++
		}
	}
	s.open, s.finished, s.committed = false, true, false
	o.code, o.said = code, string(s.text)
	accepted := " accepted message.\n"
	if o.asks() {
		accepted = dsn.PassedOn
	}
	o.message = answer{success, s.host() + accepted + s.said() + s.factLine()}
	return o
}

// slowest is how many bytes of a message a second must take: each piece that is sent puts the end of the delivery
// off by as much.
const slowest = 1000

// paced writes the message to a session.
type paced struct {
	s   *session
	end *time.Time
}

func (p paced) Write(b []byte) (int, error) {
	n, err := p.s.w.Write(b)
	if !p.end.IsZero() {
		*p.end = p.end.Add(time.Duration(n) * (time.Second / slowest))
	}
	return n, err
}
