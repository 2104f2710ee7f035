package smtpd

import (
	"encoding/base64"
	"strings"

	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
	"qmail/internal/text/environ"
)

const (
	// maxResponse is the most bytes of a line of a login (RFC 4954, 4).
	maxResponse = 12288
	// maxSteps is how many responses a login may take, and maxLogins how many may fail.
	maxSteps, maxLogins = 10, 10
)

// A Submission makes a session one for users: they log in, by TLS only, and may send from their own addresses to
// anybody.
type Submission struct {
	// May reports whether a user may send from an address.
	May func(user, address string) (bool, error)
	// Letter returns what completes the header of one message on its way to out. sender is its envelope's, and may
	// reports whether an address may be its author's.
	Letter func(sender string, may func(address string) (bool, error), out Output) Letter
	// Hide leaves the user's name out of Received; HideAddress the client's as well.
	Hide, HideAddress bool
}

// An Output is where a message goes.
type Output interface{ Write([]byte) (int, error) }

// A Letter takes a message. Close returns why it is none of the user's, or has no proper header: a reply for the
// client; empty: all is well.
type Letter interface {
	Output
	Close() (refusal string)
}

// A Login asks who the user is, for one session.
type Login interface {
	// Mechanisms returns what is offered; binding is what RFC 9266 binds to, nil for nothing.
	Mechanisms(binding []byte) []string
	// Begin begins a login by one of them; a nil initial is none. An error means that nobody knows.
	Begin(mechanism string, initial, binding []byte) (Step, error)
	// Continue goes on with a response to a challenge.
	Continue(response []byte) (Step, error)
	// Cancel gives a login up.
	Cancel()
}

// A Step is the answer to what a client has said to log in.
type Step struct {
	Challenge []byte
	More      bool   // the client has to respond to the challenge
	User      string // who it is; empty where there is no more to say: nobody
	Name      string // whom a login that failed named, for the log
	Temporary bool   // nobody knows
}

// binding is what a login can be bound to.
func (s *session) binding() []byte {
	if b, ok := s.tls.(interface{ Binding() []byte }); ok {
		return b.Binding()
	}
	return nil
}

// mayLogIn reports whether a login is for such a connection: one without TLS shows the password to anybody in between.
func (s *session) mayLogIn() bool {
	return s.tls != nil || s.clearLogin && s.server.Submission == nil
}

// offer is the line of EHLO that says how to log in.
func (s *session) offer() {
	if s.server.Login == nil || !s.mayLogIn() {
		return
	}
	if list := s.server.Login.Mechanisms(s.binding()); len(list) > 0 {
		s.say("250-AUTH " + strings.Join(list, " "))
	}
}

// auth is AUTH (RFC 4954).
func (s *session) auth(arg []byte) {
	name, initial := crlf.Verb(arg)
	mechanism := string(name)
	switch {
	case s.server.Login == nil:
		s.say("502 unimplemented (#5.5.1)")
		return
	case !s.mayLogIn():
		s.refuse("538 TLS first (#5.7.11)")
		return
	case s.user != "" || s.mailSeen:
		s.say("503 not now (#5.5.1)")
		return
	case mechanism == "":
		s.say("501 AUTH needs a mechanism (#5.5.4)")
		return
	case len(arg) > maxResponse:
		s.say("500 that line is too long (#5.5.6)")
		return
	}
	var first []byte
	if len(initial) > 0 {
		var ok bool
		if first, ok = response(initial); !ok {
			s.refuse("501 that is no base64 (#5.5.2)")
			return
		}
	}
	offered := ""
	for _, m := range s.server.Login.Mechanisms(s.binding()) {
		if ascii.Equal(m, mechanism) {
			offered = m
		}
	}
	if offered == "" {
		s.refuse("504 no such mechanism (#5.5.4)")
		return
	}
	s.mechanism = offered
	step, err := s.server.Login.Begin(offered, first, s.binding())
	s.login(step, err)
}

// response decodes an initial response, which may be a sign for an empty one.
func response(b []byte) ([]byte, bool) {
	if string(b) == "=" {
		return []byte{}, true
	}
	return decode(b)
}

// decode reads base64 that is whole, padded and nothing else.
func decode(b []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	for _, c := range b {
		if c == '\r' || c == '\n' {
			return nil, false
		}
	}
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	return out[:n], err == nil
}

// login goes on to the end of a login.
func (s *session) login(step Step, err error) {
	for steps := 0; err == nil && step.More; steps++ {
		s.say("334 " + base64.StdEncoding.EncodeToString(step.Challenge))
		s.conn.Within(s.server.Now().Add(s.timeout))
		line, readErr := s.in.Line(maxCommand)
		if readErr != nil {
			s.server.Login.Cancel()
			if readErr == crlf.ErrTooLong {
				s.fail("500 that line is too long (#5.5.6)")
				return
			}
			s.lost(readErr)
			return
		}
		answer, ok := decode(line)
		if string(line) == "*" || !ok || len(line) > maxResponse || steps == maxSteps {
			s.server.Login.Cancel()
			switch {
			case string(line) == "*":
				s.say("501 given up (#5.7.0)")
			case len(line) > maxResponse:
				s.say("500 that line is too long (#5.5.6)")
			default:
				s.refuse("501 that is no response (#5.5.2)")
			}
			return
		}
		step, err = s.server.Login.Continue(answer)
	}
	switch {
	case err != nil:
		const reply = "454 nobody can tell who you are now (#4.7.0)"
		s.server.Log.Say(reply, "because", err.Error())
		s.say(reply)
	case step.User != "":
		s.loggedIn(step.User)
	case step.Temporary:
		s.refuse("454 nobody can tell who you are now (#4.7.0)", "user", step.Name)
	default:
		s.logins++
		s.refuse("535 name or password is wrong (#5.7.8)", "user", step.Name)
		if s.logins >= maxLogins {
			s.fail("421 too many logins failed (#4.7.0)")
		}
	}
}

// loggedIn makes the client one that may relay; the programs behind see who it is in the variables of the successors.
func (s *session) loggedIn(user string) {
	s.user = user
	if _, ok := s.consult(AtLogin, "", "", false); !ok {
		s.user = ""
		return
	}
	s.relayClient, s.relay = true, ""
	if sub := s.server.Submission; sub != nil && sub.Hide {
		s.peer.RemoteInfo = ""
	} else {
		s.peer.RemoteInfo = user
	}
	s.server.Env = environ.With(s.server.Env, "TCPREMOTEINFO="+user, "RELAYCLIENT=")
	s.server.Queue = s.server.Queue.With(s.server.Env)
	s.server.Log.Say("logged in", "user", user)
	s.say("235 welcome (#2.7.0)")
}

// forbidden refuses MAIL to who is nobody, or not that user; it reports whether it has.
func (s *session) forbidden(sender string) bool {
	sub := s.server.Submission
	switch {
	case s.user == "" && (sub != nil || s.mustLogIn):
		s.refuse("530 log in first (#5.7.0)")
		return true
	case s.user == "" || sub == nil && !s.ownSender:
		return false
	case sender == "": // a notice that its reader has read a message, say
		return false
	}
	ok, err := sender == s.user, error(nil)
	if sub != nil {
		ok, err = sub.May(s.user, sender)
	}
	if err != nil {
		s.fail("421 unable to read who may send from where (#4.3.0)")
		return true
	}
	if !ok {
		s.refuse("550 that sender is not yours (#5.7.1)", "user", s.user, "from", sender)
	}
	return !ok
}

// enhanced moves the code of a reply to where RFC 2034 wants it. EHLO, the greeting, and replies of 3xx have none. A
// code that is not of the reply's class, as in the text of somebody else, is no code.
func enhanced(reply string) string {
	if len(reply) < 4 || reply[0] == '3' || reply[3] == '-' {
		return reply
	}
	text, code := reply[4:], reply[:1]+".0.0"
	if first, _, _ := strings.Cut(text, " "); isStatus(first, reply[0]) {
		return reply
	}
	if i := strings.LastIndex(text, " (#"); i >= 0 && text[len(text)-1] == ')' {
		if last := text[i+3 : len(text)-1]; isStatus(last, reply[0]) {
			text, code = text[:i], last
		}
	}
	return reply[:4] + code + " " + text
}

// isStatus reports whether s is a status code of a class (RFC 3463, section 2).
func isStatus(s string, class byte) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != string(rune(class)) {
		return false
	}
	for _, p := range parts[1:] {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
