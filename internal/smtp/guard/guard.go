// Package guard says how qmail-tlsremote speaks to a host, by control/tlsroutes and what is known of the host, and
// holds the handshakes; see qmail-tlsremote(8).
package guard

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"time"

	"qmail/internal/auth/scram"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/sts"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// A Guard answers for the connections of a remote.Remote.
type Guard struct {
	Control control.Dir
	Now     func() time.Time
	Roots   func() (*x509.CertPool, error) // who is trusted where nothing else is said
	Env     []string                       // of the programs that print tokens
	DNS     func() Lookup                  // called for a host for which DANE may count; nil: it never does
	Cache   sts.Cache                      // of MTA-STS policies
	// Certificate returns our own, for hosts that ask who we are; nil: there is none.
	Certificate func() (*tls.Certificate, error)
	// FetchSTS has the policy of a domain put into the cache; nil: such policies do not count.
	FetchSTS func(domain, id string)
	// Note keeps the words of a session for a report; nil: nobody makes one.
	Note func(words ...string) error

	roots *x509.CertPool
	known map[string]daneHost

	policies map[string]stsDomain
}

// New returns a Guard that trusts whom the system trusts.
func New(d control.Dir) *Guard { return &Guard{Control: d, Now: time.Now, Roots: x509.SystemCertPool} }

// RunsPrograms reports whether a route has a program that prints a token. It may need anything, so whoever runs it
// keeps all rights.
func (g *Guard) RunsPrograms() bool {
	for _, name := range [...]string{"smtproutes", "authsenders"} {
		b, _, err := g.Control.Raw(name)
		if err != nil || bytes.Contains(b, []byte(tokenPrefix+"/")) {
			return true
		}
	}
	return false
}

// RootFolders returns where systems have the certificates that they trust.
func RootFolders() []string {
	return []string{"/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
		"/etc/ca-certificates"}
}

var errControl = report.Defer("4.3.0", "Unable to read control files.")

// A plan is how to speak to one host.
type plan struct {
	remote.Policy
	entry tlsroutes.Entry
	label string // of the policy, where that is not the entry's
	host  string // as the certificate should have it, and as the host is told whom we mean; it may be an address
	roots *x509.CertPool
	now   func() time.Time

	records   []dns.TLSA // DANE: those that can be used
	daneNames []string   // what the certificate may be for, by an anchor

	login   smtproutes.Login
	binding scram.Binding
	env     []string
	own     func() (*tls.Certificate, error)
}

// Policy returns what is asked for by the line of tlsroutes for the recipients' domain or the host, by the files that
// other qmails have for the host, and else by a line for more than one; then by DANE; then by MTA-STS; then by the line
// for all. Without any, TLS is used where it is offered.
func (g *Guard) Policy(h remote.Hop) (*remote.Policy, error) {
	lines, _, err := g.Control.List("tlsroutes")
	if err != nil {
		return nil, errControl
	}
	p := &plan{host: ascii.LowerString(h.Host), now: g.Now, login: h.Login, env: g.Env, own: g.Certificate}
	p.entry.Policy = tlsroutes.May
	own, err := g.entry(p, tlsroutes.New(lines), h)
	if err != nil {
		return nil, err
	}
	if p.entry.Bad != nil {
		return nil, report.Defer("4.3.5", "The line of control/tlsroutes for "+printable(p.entry.Key)+
			" makes no sense: "+p.entry.Bad.Error()+".")
	}
	var records []dns.TLSA
	var base string
	if !own && p.entry.Policy != tlsroutes.None {
		if records, base, err = g.dane(h); err != nil {
			g.note(h, "tlsa", "", "dnssec-invalid", "")
			return nil, err
		}
	}
	if len(usable(records)) == 0 && h.Login != (smtproutes.Login{}) {
		records = nil // what is not verified gets no password
	}
	switch {
	case len(records) > 0:
		p.entry.Policy = tlsroutes.Encrypt
	case !own && p.entry.Policy != tlsroutes.None:
		if err := g.mtasts(p, h); err != nil {
			g.note(h, "sts", "", "validation-failure", "the policy does not name this host")
			return nil, err
		}
	}
	if p.entry.Policy == tlsroutes.May && h.Login != (smtproutes.Login{}) {
		p.entry.Policy = tlsroutes.Verify // nobody else is to have the password
	}
	if err := g.trust(p); err != nil {
		return nil, err
	}
	next := h.Domain
	if h.Relay {
		next = h.Host
	}
	p.fill(records, base, next)
	if !own && g.Note != nil {
		p.Outcome = g.outcome(p, h)
	}
	return &p.Policy, nil
}

// entry finds the entry for a host. Own says that it is not the one for all.
func (g *Guard) entry(p *plan, table tlsroutes.Table, h remote.Hop) (own bool, err error) {
	e, ok := table.Exact(h.Domain, h.Host, h.Addr.Addr().String())
	if !ok {
		if e, ok, err = g.byFiles(p.host); err != nil {
			return false, err
		}
	}
	if !ok {
		e, ok = table.Suffix(h.Domain, h.Host)
	}
	if ok {
		p.entry = e
	}
	return ok && e.Key != "", nil
}

// fill turns the entry, or TLSA records, into a Policy.
func (p *plan) fill(records []dns.TLSA, base, next string) {
	if p.Name = p.label; p.Name == "" {
		p.Name = p.entry.Policy.String()
	}
	p.Need = remote.Always
	switch p.entry.Policy {
	case tlsroutes.None:
		p.Need = remote.Never
	case tlsroutes.May:
		p.Need = remote.Offered
	}
	p.Key = strings.Join([]string{p.Name, strings.Join(p.names(), " "), strings.Join(p.entry.Prints, "")}, "\n")
	p.Shake = p.shake
	if len(records) > 0 {
		p.obey(records, base, next)
	}
	if p.login != (smtproutes.Login{}) {
		p.Key += "\n" + p.login.User + "\x00" + p.login.Password
		p.Login = p.logIn
	}
}

// names returns what the certificate may be for.
func (p *plan) names() []string {
	switch {
	case p.entry.Policy != tlsroutes.Verify:
		return nil
	case len(p.entry.Names) > 0:
		return p.entry.Names
	}
	return []string{p.host}
}

// byFiles returns what netqmail's files say of a host: none by notlshosts/HOST, verify by tlshosts/HOST.pem.
func (g *Guard) byFiles(host string) (e tlsroutes.Entry, ok bool, err error) {
	if !tlsroutes.Hostname(host) {
		return e, false, nil
	}
	for _, f := range [...]struct {
		name   string
		policy tlsroutes.Policy
	}{{noTLS(host), tlsroutes.None}, {ownRoots(host), tlsroutes.Verify}} {
		_, ok, err := g.Control.Raw(f.name)
		if err != nil {
			return e, false, errControl
		}
		if ok {
			return tlsroutes.Entry{Key: host, Policy: f.policy}, true, nil
		}
	}
	return e, false, nil
}

func noTLS(host string) string    { return filepath.Join("notlshosts", host) }
func ownRoots(host string) string { return filepath.Join("tlshosts", host+".pem") }

// trust finds the roots for a plan that needs some: those of tlshosts/HOST.pem, else those of the system.
func (g *Guard) trust(p *plan) error {
	if p.entry.Policy != tlsroutes.Verify {
		return nil
	}
	if tlsroutes.Hostname(p.host) {
		b, ok, err := g.Control.Raw(ownRoots(p.host))
		if err != nil {
			return errControl
		}
		if ok {
			p.roots = x509.NewCertPool()
			if !p.roots.AppendCertsFromPEM(b) {
				return report.Defer("4.3.5", "control/"+ownRoots(p.host)+" has no certificate.")
			}
			return nil
		}
	}
	if g.roots == nil {
		roots, err := g.Roots()
		if err != nil {
			return report.Defer("4.3.5", "Unable to read the certificates that this system trusts.")
		}
		g.roots = roots
	}
	p.roots = g.roots
	return nil
}

// printable returns a name with a question mark for each byte that does not print.
func printable(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// bare returns a host as a certificate has it: an address without brackets.
func bare(host string) string {
	if ip, ok := dns.Literal(host); ok {
		return ip.String()
	}
	return host
}
