package dmarc

import (
	"strings"

	"qmail/internal/text/ascii"
)

// A Policy is what a domain asks of receivers: RFC 9989, section 4.7.
type Policy string

const (
	Deliver    Policy = "none"
	Quarantine Policy = "quarantine"
	Reject     Policy = "reject"
)

// milder is one step less: what t=y means.
func (p Policy) milder() Policy {
	if p == Reject {
		return Quarantine
	}
	return Deliver
}

// A Record is what the DNS has of a domain.
type Record struct {
	Policy     Policy
	Subdomains Policy // sp, or else p
	Missing    Policy // np, or else sp: of subdomains that do not exist
	StrictSPF  bool   // aspf=s
	StrictDKIM bool   // adkim=s
	Testing    bool   // t=y
	PSD        byte   // 'y', 'n' or 'u'
	Reports    []string

	valid bool // p is there, and p, sp and np can be read
}

// usable reports whether the record counts: with a policy that cannot be read only where reports are wanted, and then
// as one that asks for nothing.
func (r Record) usable() bool { return r.valid || len(r.Reports) > 0 }

// maxTags bounds the tags of a record.
const maxTags = 64

// Parse reads a text of the DNS; ok is false where it is no such record.
func Parse(text string) (r Record, ok bool) {
	tags := strings.SplitN(text, ";", maxTags)
	name, value, ok := tag(tags[0])
	if !ok || name != "v" || value != "DMARC1" {
		return Record{}, false
	}
	r = Record{PSD: 'u', valid: true}
	seen := map[string]bool{}
	for _, t := range tags[1:] {
		name, value, ok := tag(t)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "p":
			r.Policy, ok = policy(value)
			r.valid = r.valid && ok
		case "sp":
			r.Subdomains, ok = policy(value)
			r.valid = r.valid && ok
		case "np":
			r.Missing, ok = policy(value)
			r.valid = r.valid && ok
		case "aspf":
			r.StrictSPF = ascii.Equal(value, "s")
		case "adkim":
			r.StrictDKIM = ascii.Equal(value, "s")
		case "t":
			r.Testing = ascii.Equal(value, "y")
		case "psd":
			if v := ascii.LowerString(value); v == "y" || v == "n" {
				r.PSD = v[0]
			}
		case "rua":
			r.Reports = addresses(value)
		}
	}
	if !seen["p"] {
		r.valid = false
	}
	if !r.valid {
		r.Policy, r.Subdomains, r.Missing = Deliver, Deliver, Deliver
		return r, true
	}
	if r.Subdomains == "" {
		r.Subdomains = r.Policy
	}
	if r.Missing == "" {
		r.Missing = r.Subdomains
	}
	return r, true
}

// tag reads name=value with blanks around both; the name comes in lower case.
func tag(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, "=")
	return ascii.LowerString(strings.Trim(name, " \t")), strings.Trim(value, " \t"), ok
}

func policy(s string) (Policy, bool) {
	switch p := Policy(ascii.LowerString(s)); p {
	case Deliver, Quarantine, Reject:
		return p, true
	}
	return "", false
}

// addresses reads a list of mailto: addresses; a limit of size behind "!" means nothing any more.
func addresses(s string) (list []string) {
	for _, u := range strings.Split(s, ",") {
		u, _, _ = strings.Cut(strings.Trim(u, " \t"), "!")
		const scheme = "mailto:"
		if len(u) > len(scheme) && ascii.Equal(u[:len(scheme)], scheme) && strings.Contains(u, "@") {
			list = append(list, u[len(scheme):])
		}
	}
	return list
}
