package dmarc

import (
	"net/netip"
	"strconv"
	"strings"
)

// An Entry is what a report says of one message: RFC 9990.
type Entry struct {
	IP          netip.Addr
	From        string // the domain of its author
	At          string // the domain whose record counted
	Published   Record
	Disposition string // pass, none, quarantine, reject
	Trusted     bool   // it was passed on by somebody who is known for it
	SPF, DKIM   bool   // which of them are aligned and passed
	Sender      string // the domain of the envelope's sender; empty: there is none
	Origin      string // the domain that SPF looked at
	OriginState string // what SPF says of it
	Signatures  []Signature
}

// A Signature is what became of one.
type Signature struct{ Domain, Selector, State string }

const (
	// maxSignatures bounds what an Entry keeps, and maxReports the bytes of addresses: no word may be cut.
	maxSignatures, maxReports = 20, 400
	// words is how many words an Entry has before those of its signatures.
	words = 13
)

// Words returns an entry as words, for a daybook.
func (e Entry) Words() []string {
	r := e.Published
	list := []string{
		e.IP.String(), e.From, e.At, string(r.Policy) + " " + string(r.Subdomains) + " " + string(r.Missing),
		flags(r.StrictDKIM, r.StrictSPF, r.Testing), joined(r.Reports),
		e.Disposition, flags(e.Trusted), flags(e.SPF, e.DKIM), e.Sender, e.Origin, e.OriginState,
		strconv.Itoa(min(len(e.Signatures), maxSignatures)),
	}
	for _, s := range e.Signatures[:min(len(e.Signatures), maxSignatures)] {
		list = append(list, s.Domain+" "+s.Selector+" "+s.State)
	}
	return list
}

// joined are the first addresses.
func joined(list []string) string {
	text := ""
	for _, a := range list {
		if len(text)+len(a) > maxReports {
			break
		}
		if text != "" {
			text += ","
		}
		text += a
	}
	return text
}

// ParseEntry reads what Words returned; ok is false for anything else.
func ParseEntry(list []string) (e Entry, ok bool) {
	if len(list) < words {
		return e, false
	}
	policies := strings.Split(list[3], " ")
	if len(policies) != 3 || len(list[4]) != 3 || len(list[7]) != 1 || len(list[8]) != 2 {
		return e, false
	}
	var err error
	if list[0] != "invalid IP" {
		if e.IP, err = netip.ParseAddr(list[0]); err != nil {
			return e, false
		}
	}
	var known [3]bool
	r := &e.Published
	r.Policy, known[0] = policy(policies[0])
	r.Subdomains, known[1] = policy(policies[1])
	r.Missing, known[2] = policy(policies[2])
	if known != [3]bool{true, true, true} {
		return e, false
	}
	r.StrictDKIM, r.StrictSPF, r.Testing = list[4][0] == '1', list[4][1] == '1', list[4][2] == '1'
	if list[5] != "" {
		r.Reports = strings.Split(list[5], ",")
	}
	e.From, e.At, e.Disposition, e.Trusted = list[1], list[2], list[6], list[7] == "1"
	e.SPF, e.DKIM = list[8][0] == '1', list[8][1] == '1'
	e.Sender, e.Origin, e.OriginState = list[9], list[10], list[11]
	n, err := strconv.Atoi(list[12])
	if err != nil || n != len(list)-words || n > maxSignatures {
		return e, false
	}
	for _, w := range list[words:] {
		parts := strings.Split(w, " ")
		if len(parts) != 3 {
			return e, false
		}
		e.Signatures = append(e.Signatures, Signature{parts[0], parts[1], parts[2]})
	}
	return e, true
}

// flags is a digit for each.
func flags(list ...bool) string {
	b := make([]byte, len(list))
	for i, f := range list {
		b[i] = '0'
		if f {
			b[i] = '1'
		}
	}
	return string(b)
}

// Organization returns the organizational domain of a domain: RFC 9989, section 4.10.2.
func Organization(l Lookup, domain string) (string, error) {
	p, err := newWalker(l).home(domain)
	return p.domain, err
}
