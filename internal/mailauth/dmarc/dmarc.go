// Package dmarc says whether the domain in From stands behind a message, and what it asks receivers to do where it does
// not: RFC 9989. What is known of the message comes from packages spf and dkim.
package dmarc

import (
	"errors"
	"strings"

	"qmail/internal/net/dns"
	"qmail/internal/text/ascii"
)

// A Status is a result as RFC 8601 names it.
type Status string

const (
	None      Status = "none" // the domain has no record
	Pass      Status = "pass"
	Fail      Status = "fail"
	TempError Status = "temperror" // the DNS does not say now
)

// maxIdentifiers bounds the domains that are compared with that of From: each can cost eight questions.
const maxIdentifiers = 10

// maxWalk is how many records a walk up the tree asks for: RFC 9989, section 4.10.
const maxWalk = 8

// A Lookup asks the DNS. An error of TXT that is dns.ErrNotFound says that there is nothing.
type Lookup interface {
	TXT(name string) ([]string, error)
	Exists(name string) (bool, error)
}

// Mail is what is known of a message.
type Mail struct {
	From string   // the domain of its one author
	SPF  string   // the domain that SPF let pass; empty: none
	DKIM []string // those whose signatures are good
	// Unsure says that SPF or a signature could not be checked now, and might have passed.
	Unsure bool
}

// A Result is what became of a check.
type Result struct {
	Status Status
	Record Record // where the domain has one
	At     string // the domain that the record is of
	Policy Policy // what it asks for where Status is Fail; less by a step where it is being tested
	// Which of them are aligned.
	SPF, DKIM bool
}

// Check finds the record of the domain in From, and says whether something that passed is aligned with it.
func Check(l Lookup, m Mail) Result {
	w := newWalker(l)
	from := ascii.LowerString(strings.TrimSuffix(m.From, "."))
	at, err := w.policy(from)
	if err != nil {
		return Result{Status: TempError}
	}
	rec := w.seen[at].record
	if at == "" || !rec.usable() {
		return Result{Status: None}
	}
	res := Result{Status: Fail, Record: rec, At: at}
	unsure := m.Unsure
	aligned := func(domain string, strict bool) bool {
		ok, err := w.aligned(from, domain, strict)
		unsure = unsure || err != nil
		return ok
	}
	res.SPF = m.SPF != "" && aligned(m.SPF, rec.StrictSPF)
	for _, d := range m.DKIM[:min(len(m.DKIM), maxIdentifiers)] {
		if res.DKIM = aligned(d, rec.StrictDKIM); res.DKIM {
			break
		}
	}
	switch {
	case res.SPF || res.DKIM:
		res.Status = Pass
		return res
	case unsure:
		res.Status = TempError
		return res
	}
	if res.Policy, err = w.asked(from, at, rec); err != nil {
		res.Status = TempError
	}
	return res
}

// A walker asks for records, each once.
type walker struct {
	lookup Lookup
	seen   map[string]found
	homes  map[string]place
}

func newWalker(l Lookup) *walker {
	return &walker{lookup: l, seen: map[string]found{}, homes: map[string]place{}}
}

type found struct {
	record Record
	ok     bool
	err    error
}

// at returns the record at a name, if there is exactly one.
func (w *walker) at(name string) found {
	if f, ok := w.seen[name]; ok {
		return f
	}
	var f found
	texts, err := w.lookup.TXT("_dmarc." + name)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		f.err = err
	}
	n := 0
	for _, t := range texts {
		if r, ok := Parse(t); ok {
			f.record = r
			n++
		}
	}
	f.ok = n == 1
	w.seen[name] = f
	return f
}

// A place is where a walk from a domain leads to.
type place struct {
	domain string // the organizational domain
	suffix string // the public suffix that a record declares, or empty
}

// walk returns the names that a walk from a domain asks, the domain first.
func walk(domain string) []string {
	names := []string{domain}
	labels := strings.Split(domain, ".")
	rest := labels[1:]
	if len(labels) >= maxWalk {
		rest = labels[len(labels)-maxWalk+1:]
	}
	for ; len(rest) > 0; rest = rest[1:] {
		names = append(names, strings.Join(rest, "."))
	}
	return names
}

// home finds the organizational domain of a domain: section 4.10.2.
func (w *walker) home(domain string) (place, error) {
	if p, ok := w.homes[domain]; ok {
		return p, nil
	}
	p := place{domain: domain}
	for i, name := range walk(domain) {
		f := w.at(name)
		if f.err != nil {
			return place{}, f.err
		}
		if !f.ok {
			continue
		}
		p.domain = name
		if f.record.PSD == 'n' {
			break
		}
		if f.record.PSD == 'y' && i > 0 {
			p = place{domain: child(domain, name), suffix: name}
			break
		}
	}
	w.homes[domain] = p
	return p, nil
}

// child is the name one label below parent on the way to domain.
func child(domain, parent string) string {
	above := strings.TrimSuffix(domain, "."+parent)
	return above[strings.LastIndexByte(above, '.')+1:] + "." + parent
}

// policy returns the name whose record counts: the domain's own, else that of its organizational domain, else that of
// the public suffix; empty: there is none.
func (w *walker) policy(from string) (string, error) {
	own := w.at(from)
	if own.ok || own.err != nil {
		return from, own.err
	}
	home, err := w.home(from)
	if err != nil {
		return "", err
	}
	for _, name := range []string{home.domain, home.suffix} {
		if name != "" && w.at(name).ok {
			return name, nil
		}
	}
	return "", nil
}

// asked is the policy that the record at a name has for a domain.
func (w *walker) asked(from, at string, r Record) (Policy, error) {
	p := r.Policy
	if from != at {
		p = r.Subdomains
		if r.Missing != r.Subdomains {
			exists, err := w.lookup.Exists(from)
			if err != nil {
				return "", err
			}
			if !exists {
				p = r.Missing
			}
		}
	}
	if r.Testing {
		p = p.milder()
	}
	return p, nil
}

// aligned compares a domain that passed with that of From.
func (w *walker) aligned(from, domain string, strict bool) (bool, error) {
	domain = ascii.LowerString(strings.TrimSuffix(domain, "."))
	if domain == from {
		return true, nil
	}
	if strict || domain == "" {
		return false, nil
	}
	ours, err := w.home(from)
	if err != nil {
		return false, err
	}
	theirs, err := w.home(domain)
	return err == nil && theirs.domain == ours.domain, err
}
