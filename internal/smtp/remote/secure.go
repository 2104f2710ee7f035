package remote

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"qmail/internal/site/smtproutes"
	"qmail/internal/smtp/tcpto"
)

// A Secure makes connections secret. What it is asked for it remembers where that is dear: a connection that was kept
// is asked about again.
type Secure interface {
	// Policy says how a host is to be spoken to. An error is a deferral of what was to go there.
	Policy(Hop) (*Policy, error)
}

// A Hop is a host that a message may go to.
type Hop struct {
	Domain string // of the recipients
	Host   string // as the DNS or smtproutes has it
	Addr   netip.AddrPort
	Relay  bool // smtproutes has it
	Sure   bool // nobody but the DNS's signers or the administrator says that it takes this mail
	Login  smtproutes.Login
}

// A Need says when a connection must be secret.
type Need uint8

// The needs.
const (
	Never   Need = iota
	Offered      // where the host offers it; in plain where that fails before any mail was sent
	Always
)

// A Policy is how a host is spoken to.
type Policy struct {
	Name string // for reports
	Need Need
	// Key is the same for two policies if a connection that one of them allowed will do for the other.
	Key string
	// Shake begins TLS on a connection, which has a deadline. Classical says that nothing new is to be tried that
	// makes the first message long.
	Shake func(c net.Conn, classical bool) (*Shaken, error)
	// Login returns the talk of a login by one of the mechanisms that the host offers; nil: none is needed. It is
	// called after Shake.
	Login func(mechanisms []string) (Talk, error)
	// Outcome is told of each connection for which TLS is wanted what became of that; nil: it is secret. It may be nil.
	Outcome func(peer netip.Addr, err error)
}

// ErrNotOffered says that a host does not offer STARTTLS, or does not do it.
var ErrNotOffered = errors.New("no STARTTLS")

// A Shaken is a connection after its handshake.
type Shaken struct {
	net.Conn
	Facts string      // "key=value key=value"
	Quiet func() bool // there is nothing to be read, and the host has not ended the connection
}

// submissions is the port where TLS comes first (RFC 8314, section 3.3).
const submissions = 465

// policy returns how a candidate is to be spoken to; nil: as qmail always has.
func (c *course) policy(x candidate) (*Policy, error) {
	if c.m.Secure == nil {
		return nil, nil
	}
	p, err := c.m.Secure.Policy(Hop{
		Domain: c.j.host, Host: x.name, Addr: x.addr, Relay: c.to.relay, Sure: x.sure, Login: c.to.login,
	})
	if err == nil && p.Need == Offered && x.addr.Port() == submissions {
		q := *p
		q.Need = Always
		p = &q
	}
	return p, err
}

// allows reports whether a connection that was made under another policy will do for a candidate.
func (c *course) allows(s *session, x candidate) bool {
	p, err := c.policy(x)
	return err == nil && (p == nil && s.policy == nil || p != nil && s.policy != nil && p.Key == s.policy.Key)
}

// begin introduces us, in secret where the policy says so. The outcome is nil when mail can be sent; its remedy is
// what to leave out on another connection.
func (s *session) begin(p *Policy, without tcpto.Ways) *outcome {
	if s.policy = p; p == nil {
		return s.introduce(without)
	}
	s.facts = "tls=none policy=" + p.Name
	plain := p.Need == Never || p.Need == Offered && without&tcpto.Secrecy != 0
	if p.Need == Always {
		without &^= tcpto.Hello
	}
	atOnce := s.peer.Port() == submissions && !plain
	if atOnce {
		if o := s.shake(without); o != nil {
			return o
		}
	}
	o := s.introduce(without)
	if o == nil && !plain && !atOnce {
		o = s.startTLS(without)
	} else if o != nil && p.Need == Always && o.remedy == tcpto.Hello {
		o.remedy = 0
	}
	if o == nil && p.Login != nil {
		o = s.logIn()
	}
	return o
}

// startTLS asks for TLS where it is offered (RFC 3207), and introduces us again: whatever was said before may have been
// somebody else's words.
func (s *session) startTLS(without tcpto.Ways) *outcome {
	if !s.offersTLS {
		s.tell(ErrNotOffered)
		if s.policy.Need == Always {
			return s.fault("it does not offer STARTTLS", 0)
		}
		return nil
	}
	code, err := s.ask("STARTTLS\r\n", min(s.timeout, patience))
	switch {
	case err != nil:
		s.tell(err)
		return s.broken("the connection died at STARTTLS", err, tcpto.Secrecy)
	case code >= refusedForNow && s.policy.Need == Offered:
		s.tell(ErrNotOffered)
		return nil
	case code != greeting:
		s.tell(ErrNotOffered)
		return s.fault("it refused STARTTLS", tcpto.Secrecy)
	case s.r.Buffered() > 0:
		s.close()
		return s.fault("more came behind its answer to STARTTLS, where somebody else can have put it", tcpto.Secrecy)
	}
	if o := s.shake(without); o != nil {
		return o
	}
	o := s.hello(s.outcome(true), true)
	if o == nil {
		return nil
	}
	o.remedy = s.remedy(tcpto.Secrecy)
	return o
}

// shake begins TLS, and forgets what was read.
func (s *session) shake(without tcpto.Ways) *outcome {
	classical := without&tcpto.Classical != 0
	s.c.SetDeadline(s.by(min(s.timeout, patience)))
	s.hurry.begin(func() { s.c.SetDeadline(time.Unix(1, 0)) })
	t, err := s.policy.Shake(s.c, classical)
	s.hurry.end()
	s.tell(err)
	if err != nil {
		// The connection is in no state in which QUIT could be said.
		remedy := tcpto.Secrecy
		if !classical && unanswered(err) {
			remedy = tcpto.Classical
		}
		return s.broken(err.Error(), err, remedy)
	}
	s.c.SetDeadline(time.Time{})
	s.c, s.quiet = t, t.Quiet
	s.r.Reset(t)
	s.facts = t.Facts + " policy=" + s.policy.Name
	s.dsn, s.utf8, s.rcptMax, s.mailMax = false, false, 0, 0
	s.pipelining, s.size, s.eightBit, s.maxSize, s.offersTLS, s.mechanisms = false, false, false, 0, false, nil
	s.secret = true
	return nil
}

// tell has the policy know what became of TLS.
func (s *session) tell(err error) {
	if s.policy.Outcome != nil {
		s.policy.Outcome(s.peer.Addr(), err)
	}
}

// unanswered reports whether a handshake ended as if the first message had been too much for somebody on the way.
func unanswered(err error) bool {
	return timedOut(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// remedy is what a failure may be answered with: nothing that the policy does not allow.
func (s *session) remedy(w tcpto.Ways) tcpto.Ways {
	if w == tcpto.Secrecy && (s.policy.Need == Always || s.peer.Port() == submissions) {
		return 0
	}
	return w
}

// broken is a fault of a connection that can no longer be used.
func (s *session) broken(why string, err error, remedy tcpto.Ways) *outcome {
	s.close()
	silent := timedOut(err) || errors.Is(err, os.ErrDeadlineExceeded)
	if silent {
		why = "it was silent"
	}
	o := s.fault(why, remedy)
	o.silent = silent
	if s.hurry.hurried() {
		o.message = answer{deferral, connectedTo + s.host() + whileOthers}
	}
	return o
}

// fault is an outcome for want of TLS. It is a deferral whatever the reason.
func (s *session) fault(why string, remedy tcpto.Ways) *outcome {
	o := s.outcome(true)
	o.place, o.remedy = atHello, s.remedy(remedy)
	o.message = answer{deferral, connectedTo + s.host() + " but TLS failed (" + printable(s.name) + ", policy " +
		s.policy.Name + "): " + why + ". (#4.7.5)\n"}
	return o
}
