// Package remote delivers one message to one host by SMTP, as qmail-remote(8) says: it finds the host, holds the
// dialogue and reports on each recipient.
package remote

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/dsn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// A Resolver answers for the DNS; see package dns for what its errors mean.
type Resolver interface {
	MX(domain string) ([]dns.MX, error)
	Addrs(host string) ([]netip.Addr, error)
}

// A Remote delivers messages one after the other. Nothing of one delivery reaches the next but a
// connection, where Keep is set.
type Remote struct {
	Control control.Dir
	Dead    tcpto.Table
	Pid     int
	Now     func() time.Time
	Resolve func() Resolver                      // called once for a delivery
	Ours    func([]netip.Addr) (ipme.Set, error) // those at which this machine would meet itself
	Dial    func(ctx context.Context, to netip.AddrPort, within time.Duration) (net.Conn, error)
	Secure  Secure // nil: connections are never secret

	// Keep says that a connection may stay open after a delivery, for the next. Whoever sets it
	// calls Rest when no delivery has come for a moment, and at the end.
	Keep bool

	kept    *session
	top     string     // goes before the message
	asked   dsn.Record // what its sender asks for
	address netip.Addr
	hurry   hurry
}

// Address returns where the last delivery went, or was to go when it ended; it is not valid where none was reached for.
func (m *Remote) Address() netip.Addr { return m.address }

// A job is one delivery.
type job struct {
	*settings
	host       string
	sender     string
	recipients []string
	asked      dsn.Record
	message    *letter

	international bool // addresses of 8 bits are ones of RFC 6531
	now           time.Time
	end           time.Time // when all must be over
}

// New returns a Remote for the tree at home.
func New(home string) *Remote {
	return &Remote{
		Control: control.Dir(filepath.Join(home, "control")),
		Dead:    tcpto.Table(filepath.Join(home, "queue/lock")),
		Pid:     os.Getpid(),
		Now:     time.Now,
		Resolve: func() Resolver { return dns.Open(dns.SystemConf) },
		Ours:    ipme.Ours,
		Dial:    Connect,
	}
}

// Deliver does one delivery. Args are the host, the sender and the recipients; the report goes to out. The exit
// code is OK, whatever the report says, unless the report could not be written.
func (m *Remote) Deliver(args []string, message io.Reader, out io.Writer) exit.Code {
	o := &output{w: out}
	m.address = netip.Addr{}
	m.hurry.reset()
	if err := m.run(args, message, o); err != nil {
		r := report.Of(err)
		o.part(byte(r.Kind), r.Error()+"\n")
	}
	if o.flush() != nil {
		return exit.Temp
	}
	return exit.OK
}

// Failures named as the original names them.
var (
	errUsage    = report.Fail("5.3.5", "I (qmail-remote) was invoked improperly.")
	errControls = report.Defer("4.3.0", "Unable to read control files.")
	errRead     = report.Defer("4.3.0", "Unable to read message.")
	errTooLong  = report.Defer("4.4.2", "Sorry, this delivery took too long.")
	errSystem   = report.Defer("4.3.0", "System resources temporarily unavailable.")
	errLogin    = report.Defer("4.7.0", "control/smtproutes or control/authsenders has a password for this route. "+
		"It is sent by qmail-tlsremote only: make control/tlsroutes, which may be empty.")
	errNoRelay = report.Defer("4.3.5", "control/smtproutes or control/authsenders has a password, and no relay for it.")
	errPartial = report.Fail("5.6.2", "SMTP cannot transfer messages with partial final lines.")
	errSender  = report.Fail("5.1.7", "Sorry, a line end inside the sender address cannot be sent by SMTP.")
)

// run writes the report, or returns what is to be the last part of it.
func (m *Remote) run(args []string, message io.Reader, o *output) error {
	if len(args) < 3 {
		return errUsage
	}
	set, err := readSettings(m.Control)
	if err != nil {
		return errControls
	}
	j := &job{settings: set, host: args[0], sender: args[1], recipients: args[2:], asked: m.asked, now: m.Now()}
	if !sendable(j.sender) {
		return errSender
	}
	if err := j.internationalize(m.Control); err != nil {
		return err
	}
	if j.message, err = openLetter(m.top, message); err != nil {
		return errRead
	}
	to := j.target(j.host, j.sender)
	switch login := to.login != (smtproutes.Login{}); {
	case login && !to.relay:
		return errNoRelay
	case login && m.Secure == nil:
		return errLogin
	}
	j.end = time.Now().Add(j.timeoutDelivery + time.Duration(len(j.recipients))*perRecipient)
	c := &course{m: m, j: j, to: to, known: make(map[kind]bool)}
	c.run()
	c.finish()
	c.report(o)
	return nil
}
