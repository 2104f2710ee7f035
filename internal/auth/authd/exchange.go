package authd

import (
	"errors"
	"time"

	"qmail/internal/auth/authproto"
	"qmail/internal/auth/check"
	"qmail/internal/auth/guess"
	"qmail/internal/auth/password"
	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/text/ascii"
)

func isUnsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// An exchange is one client that logs in.
type exchange struct {
	session *session
	id      uint32
	request authproto.Request
	began   time.Time
	next    func(response []byte) answer // to the client's next response

	stop            chan struct{} // closed when the client gives it up
	busy, cancelled bool          // of the session's mu
}

// An answer is what a client is told.
type answer struct {
	state     authproto.State
	challenge []byte
	user      string
	temporary bool
}

func ask(challenge []byte) answer { return answer{state: authproto.Continue, challenge: challenge} }

// first returns what reads the first response of a mechanism; nil for one that is not there.
func (e *exchange) first() func([]byte) answer {
	s := e.session.Server
	switch e.request.Mechanism {
	case sasl.Plain:
		return func(m []byte) answer {
			user, word, err := password.ReadPlain(m)
			return e.password(user, word, err)
		}
	case sasl.Login:
		return e.login
	case scram.Plain, scram.Plus:
		if s.scram() {
			return e.scram
		}
	case sasl.OAuthBearer:
		if s.Tokens {
			return func(m []byte) answer { return e.token(sasl.ReadBearer(m)) }
		}
	case sasl.XOAuth2:
		if s.Tokens {
			return func(m []byte) answer { return e.token(sasl.ReadXOAuth2(m)) }
		}
	}
	return nil
}

// begin takes the first step.
func (e *exchange) begin(response []byte, has bool) answer {
	switch {
	case e.next == nil:
		return e.fail("", nil)
	case has:
		return e.next(response)
	case e.request.Mechanism == sasl.Login:
		return ask([]byte("Username:"))
	}
	return ask(nil)
}

// login is LOGIN: the name, then the password.
func (e *exchange) login(name []byte) answer {
	user := string(name)
	e.next = func(word []byte) answer {
		user, word, err := password.ReadLogin([]byte(user), word)
		return e.password(user, word, err)
	}
	return ask([]byte("Password:"))
}

// password checks a name and a password: by the database, where the name is there; else by the program.
func (e *exchange) password(user string, word []byte, err error) answer {
	defer clear(word)
	if err != nil {
		return e.fail("", err)
	}
	return e.attempt(user, func() (string, check.Verdict) {
		s := e.session.Server
		if s.Have() || !s.Checked {
			as, k, known, err := s.Keys(user)
			if err != nil {
				return user, check.Temporary
			}
			// The work is the same for a name that is not there.
			if ok := k.Check(word); ok && known {
				return as, check.Yes
			}
			if known {
				return as, check.No
			}
		}
		if s.Checked {
			return user, s.Check.Ask(check.Password, user, word)
		}
		return user, check.No
	})
}

// token checks a token by the program. A client whose token is refused is told so first, and has to answer that.
func (e *exchange) token(user string, token []byte, err error) answer {
	defer clear(token)
	if err != nil {
		return e.fail("", err)
	}
	a := e.attempt(user, func() (string, check.Verdict) { return user, e.session.Check.Ask(check.Token, user, token) })
	if a.state == authproto.Fail && !a.temporary {
		e.next = func([]byte) answer { return a }
		return ask([]byte(`{"status":"invalid_token","schemes":"bearer"}`))
	}
	return a
}

// scram is the two mechanisms of package scram.
func (e *exchange) scram(message []byte) answer {
	s, binding := e.session.Server, e.request.ChannelBinding
	plus := e.request.Mechanism == scram.Plus
	f, err := scram.ReadFirst(message, plus, len(binding) > 0)
	if err != nil || plus && len(binding) == 0 {
		return e.fail("", scram.ErrMessage)
	}
	user, k, known, err := s.Keys(f.User)
	if err != nil {
		return e.temporary(f.User)
	}
	side, challenge := scram.NewServer(f, k, binding)
	e.next = func(message []byte) answer {
		var verdict []byte
		a := e.attempt(user, func() (string, check.Verdict) {
			verdict, err = side.Final(message)
			if err != nil || !known {
				return user, check.No
			}
			return user, check.Yes
		})
		if a.state != authproto.OK {
			return a
		}
		// The client reads the proof before it is told that it is in.
		e.next = func([]byte) answer { return a }
		return ask(verdict)
	}
	return ask(challenge)
}

// attempt has a password, a proof or a token looked at, when its turn has come, and says what came of it.
func (e *exchange) attempt(user string, look func() (as string, v check.Verdict)) answer {
	s, address := e.session.Server, guess.Address(e.request.RemoteIP)
	name := ascii.LowerString(user)
	wait, ok := s.book.Admit(name, address, time.Now())
	if !ok {
		s.log(e, "too many attempts wait", user)
		return answer{user: user, temporary: true}
	}
	if !e.pause(wait) {
		return answer{user: user, temporary: true}
	}
	began := time.Now()
	as, v := look()
	switch v {
	case check.Yes:
		s.book.Passed(name, address)
		s.log(e, "ok", as)
		return answer{state: authproto.OK, user: as}
	case check.No:
		s.book.Failed(name, address, time.Now())
		s.log(e, "failed", user)
		e.pause(failAfter - time.Since(began))
		return answer{user: user}
	}
	return e.temporary(user)
}

// pause waits; it reports whether the client has.
func (e *exchange) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.stop:
	case <-e.session.gone:
	}
	return false
}

// fail ends an exchange with a client that does not say what the mechanism has it say. That is no guess at a password,
// but it costs as much.
func (e *exchange) fail(user string, err error) answer {
	s := e.session.Server
	if err != nil {
		s.book.Failed("", guess.Address(e.request.RemoteIP), time.Now())
	}
	s.log(e, "failed", user)
	e.pause(failAfter)
	return answer{user: user}
}

func (e *exchange) temporary(user string) answer {
	e.session.log(e, "unable to check", user)
	return answer{user: user, temporary: true}
}

func (s *Server) log(e *exchange, text, user string) {
	s.Say(e.request.RemoteIP, s.Pid, text+" "+e.request.Mechanism, user)
}
