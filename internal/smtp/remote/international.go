package remote

import (
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

// internationalize reads whether addresses of 8 bits are ones of RFC 6531, where there is any, and puts the name that
// the DNS has for it in the place of the host. Else such an address is bytes, as it always was.
func (j *job) internationalize(d control.Dir) error {
	international := !ascii.IsASCII(j.host) || !ascii.IsASCII(j.sender)
	for _, a := range j.recipients {
		international = international || !ascii.IsASCII(a)
	}
	if !international {
		return nil
	}
	words, _, err := d.List("extensions")
	if err != nil {
		return errControls
	}
	if j.international = control.NewSet(words).Has("smtputf8"); !j.international {
		return nil
	}
	host, ok := domain(j.host)
	if !ok {
		return report.Fail("5.1.2", "Sorry, I couldn't find any host named "+printable(j.host)+".")
	}
	j.host = host
	return nil
}

// maxDomain is the most bytes of a name in the DNS, as it is written.
const maxDomain = 253

// domain returns a domain in the form that the DNS has (RFC 5891).
func domain(name string) (string, bool) {
	if ascii.IsASCII(name) {
		return name, true
	}
	if !ascii.IsText(name) {
		return "", false
	}
	name, err := idna.Lookup.ToASCII(name)
	return name, err == nil && ascii.IsASCII(name) && len(name) <= maxDomain
}

// spoken returns an address as it stands in a command, with SMTPUTF8 or without; ok is false where it cannot. Without,
// a domain can have its other form (RFC 6531, section 3.2).
func (j *job) spoken(addr string, utf8 bool) (text string, ok bool) {
	switch {
	case !j.international || ascii.IsASCII(addr):
		return rfc822.Quote(addr), true
	case !ascii.IsText(addr):
		return "", false
	case utf8:
		return rfc822.QuoteUTF8(addr), true
	}
	at := strings.LastIndexByte(addr, '@') + 1
	name, ok := domain(addr[at:])
	return rfc822.Quote(addr[:at] + name), ok && ascii.IsASCII(addr[:at])
}

// A saying is how the addresses of a transaction stand in its commands.
type saying struct {
	sender     string
	recipients []string
	utf8       bool // MAIL says SMTPUTF8
	impossible bool // there is no way that the server understands
}

func (s *session) saying(j *job, recipients []string) (x saying) {
	x.utf8 = j.international && s.utf8 && !ascii.IsASCII(j.sender+strings.Join(recipients, ""))
	var ok bool
	if x.sender, ok = j.spoken(j.sender, x.utf8); !ok {
		x.impossible = true
	}
	for _, a := range recipients {
		text, ok := j.spoken(a, x.utf8)
		x.recipients = append(x.recipients, text)
		x.impossible = x.impossible || !ok
	}
	return x
}

// alike returns how many of the recipients, from the first on, can or cannot be said to the server like it.
func (c *course) alike(rest []int) int {
	if !c.j.international {
		return len(rest)
	}
	can := func(i int) bool { _, ok := c.j.spoken(c.j.recipients[i], c.s.utf8); return ok }
	first, n := can(rest[0]), 1
	for n < len(rest) && can(rest[n]) == first {
		n++
	}
	return n
}

// speechless ends a transaction with a server that does not know SMTPUTF8 (RFC 6531, section 3.2), or was not asked.
func (s *session) speechless(o *outcome) *outcome {
	o.ours = true
	o.message = answer{failure, s.host() + " does not take addresses of this message: they need SMTPUTF8. (#5.6.7)\n"}
	if !s.ehlo {
		o.message = answer{deferral, s.host() + " was not asked for SMTPUTF8, which addresses here need. (#4.6.7)\n"}
	}
	return o
}

// limits reads what LIMITS offers (RFC 9422).
func (s *session) limits(arg string) {
	for word := range strings.SplitSeq(arg, " ") {
		name, value, _ := strings.Cut(word, "=")
		n, _ := control.ParseInt(value)
		if n < 1 || n > 999999 || strconv.Itoa(n) != value {
			continue
		}
		switch {
		case ascii.Equal(name, "RCPTMAX"):
			s.rcptMax = n
		case ascii.Equal(name, "MAILMAX"):
			s.mailMax = n
		}
	}
}

// worn reports whether the server takes no other transaction on this connection.
func (s *session) worn() bool { return s.mailMax > 0 && s.mails >= s.mailMax }
