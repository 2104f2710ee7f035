// Package submission is what makes a server of SMTP one for users: who they are by the password server, which
// addresses are theirs, and what their programs leave to the server.
package submission

import (
	"os"
	"slices"
	"strings"
	"time"

	"qmail/internal/auth/authproto"
	"qmail/internal/site/control"
	"qmail/internal/site/users"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/submit/inject"
	"qmail/internal/text/tcpenv"
)

// fallback is what is offered while the password server cannot be asked: a client that is offered nothing would take
// that for the last word, and one that tries hears that it is to try again.
const fallback = "PLAIN"

// Equip makes s a server for users. What it returns is to be called after the session.
func Equip(home string, s *smtpd.Server) (after func()) {
	l := &login{home: home, control: s.Control, peer: tcpenv.Read(s.Env)}
	senders := users.Senders{Path: users.SendersFile(home), Locals: s.Control.Locals}
	privacy, err := s.Control.Int("submitprivacy")
	if err != nil {
		privacy = 2
	}
	n := 0
	s.Login = l
	s.Submission = &smtpd.Submission{
		May: senders.May, Hide: privacy > 0, HideAddress: privacy > 1,
		Letter: func(sender string, may func(string) (bool, error), out smtpd.Output) smtpd.Letter {
			n++
			host, _, err := s.Control.Text("idhost")
			c := &inject.Completion{Out: out, Now: s.Now(), ID: inject.MessageNumber(os.Getpid(), n), IDHost: host,
				Sender: sender, May: may}
			if err != nil {
				c.May = func(string) (bool, error) { return false, err }
			}
			return c
		},
	}
	return l.close
}

// A login is a session at the password server. It connects when the client wants to know what it can do.
type login struct {
	home    string
	control control.Dir
	peer    tcpenv.Conn
	client  *authproto.Client
	failed  error
	tried   time.Time
}

// again is how long a password server that could not be asked is left alone.
const again = time.Second

// dial returns the client, made anew where the last one is of no more use.
func (l *login) dial() (*authproto.Client, error) {
	if l.client != nil {
		return l.client, nil
	}
	if l.failed != nil && time.Since(l.tried) < again {
		return nil, l.failed
	}
	name, _, err := l.control.Text("authsocket")
	if err == nil {
		l.client, err = authproto.Dial(authproto.Path(l.home, name))
	}
	l.failed, l.tried = err, time.Now()
	return l.client, err
}

// Mechanisms implements smtpd.Login.
func (l *login) Mechanisms(binding []byte) []string {
	c, err := l.dial()
	if err != nil {
		return []string{fallback}
	}
	list := slices.Clone(c.Mechanisms())
	return slices.DeleteFunc(list, func(m string) bool { return binding == nil && strings.HasSuffix(m, "-PLUS") })
}

// Begin implements smtpd.Login.
func (l *login) Begin(mechanism string, initial, binding []byte) (smtpd.Step, error) {
	c, err := l.dial()
	if err != nil {
		return smtpd.Step{}, err
	}
	return l.step(c.Begin(authproto.Request{
		Service: "smtp", Mechanism: mechanism, RemoteIP: l.peer.RemoteIP, LocalIP: l.peer.LocalIP, Secured: true,
		ChannelBinding: binding, Initial: initial, HasInitial: initial != nil,
	}))
}

// Continue implements smtpd.Login.
func (l *login) Continue(response []byte) (smtpd.Step, error) {
	if l.client == nil {
		return smtpd.Step{}, authproto.ErrState
	}
	return l.step(l.client.Continue(response))
}

// Cancel implements smtpd.Login.
func (l *login) Cancel() {
	if l.client != nil && l.client.Cancel() != nil {
		l.close()
	}
}

// step translates an answer. After an error the next login gets another client.
func (l *login) step(s authproto.Step, err error) (smtpd.Step, error) {
	if err != nil {
		l.close()
		return smtpd.Step{}, err
	}
	step := smtpd.Step{Challenge: s.Challenge, More: s.State == authproto.Continue, Temporary: s.Temporary, Name: s.User}
	if s.State == authproto.OK {
		step.User = s.User
	}
	return step, nil
}

func (l *login) close() {
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}
