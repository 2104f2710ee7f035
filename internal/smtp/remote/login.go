package remote

import (
	"errors"
	"strings"
)

// A Talk is what a client says to log in (RFC 4954).
type Talk interface {
	Command() string                         // AUTH and what belongs to it
	Answer(challenge string) (string, error) // to the text of a 334
	Finish() error                           // why a login that the host is content with is none
}

const (
	challenged = 334
	loggedIn   = 235
	// maxRounds bounds a login; no mechanism needs more than three.
	maxRounds = 8
)

var errInTheClear = errors.New("a password is sent by TLS only, which control/tlsroutes or control/notlshosts forbids")

// logIn says who we are and proves it. Whatever the host says to that is a deferral: the mail is not to blame, and the
// administrator can mend it.
func (s *session) logIn() *outcome {
	if !s.secret {
		return s.unknown(errInTheClear.Error(), false)
	}
	t, err := s.policy.Login(s.mechanisms)
	if err != nil {
		return s.unknown(err.Error(), false)
	}
	command := t.Command()
	for range maxRounds {
		code, err := s.ask(command+"\r\n", s.timeout)
		switch {
		case err != nil:
			return s.died(s.outcome(true), err, onceAtMost)
		case code == loggedIn:
			if err := t.Finish(); err != nil {
				return s.unknown(err.Error(), false)
			}
			return nil
		case code != challenged:
			o := s.unknown("", true)
			o.everywhere = code >= refused
			return o
		}
		challenge, _, _ := strings.Cut(string(s.text[min(4, len(s.text)):]), "\n")
		if command, err = t.Answer(challenge); err != nil {
			s.send("*\r\n")
			return s.unknown(err.Error(), false)
		}
	}
	return s.unknown("it asks for ever", false)
}

// unknown is an outcome for want of a login.
func (s *session) unknown(why string, said bool) *outcome {
	o := s.outcome(true)
	o.place = atHello
	text := connectedTo + s.host() + " but the login at " + printable(s.name) + " failed"
	if why != "" {
		text += ": " + why
	}
	text += ". (#4.7.8)\n"
	if said {
		text += s.said()
	}
	o.message = answer{deferral, text}
	return o
}
