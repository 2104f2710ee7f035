package smtpd

import (
	"bytes"

	"qmail/internal/text/ascii"
)

// maxParameter is the most bytes of one parameter: more than any that is known here may have (RFC 3461, section 5.4,
// grants ORCPT the most).
const maxParameter = 1024

// A parameter is one word behind the address of MAIL or RCPT, as the client said it: what its value means is for the
// extension that it belongs to. Whoever does not offer that extension ignores it, as qmail always has.
type parameter struct {
	given  bool
	valued bool   // there was an equals sign
	value  string // what followed it
	wrong  bool   // it was there twice, too long, or has bytes that no parameter has
}

// parameters are those of one command that mean something here (RFC 5321, section 4.1.2).
type parameters struct {
	size, body, smtpUTF8, ret, envID parameter // of MAIL
	notify, orcpt                    parameter // of RCPT
}

// parseParameters reads what follows an address. Words that it does not know are left out.
func parseParameters(rest []byte) (p parameters) {
	for len(rest) > 0 {
		word := rest
		if i := bytes.IndexByte(rest, ' '); i >= 0 {
			word, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if len(word) > 0 {
			p.add(word)
		}
	}
	return p
}

func (p *parameters) add(word []byte) {
	name, value, valued := bytes.Cut(word, []byte{'='})
	known := p.named(name)
	if known == nil {
		return
	}
	if known.given || len(word) > maxParameter || !isValue(value) {
		*known = parameter{given: true, wrong: true}
		return
	}
	*known = parameter{given: true, valued: valued, value: string(value)}
}

// named returns the parameter with a name, or nil.
func (p *parameters) named(name []byte) *parameter {
	for _, n := range [...]struct {
		name string
		p    *parameter
	}{
		{"size", &p.size}, {"body", &p.body}, {"smtputf8", &p.smtpUTF8}, {"ret", &p.ret}, {"envid", &p.envID},
		{"notify", &p.notify}, {"orcpt", &p.orcpt},
	} {
		if len(name) == len(n.name) && hasPrefix(name, n.name) {
			return n.p
		}
	}
	return nil
}

// isValue reports whether a value has only bytes that a value may have; those over 127 are SMTPUTF8's (RFC 6531,
// section 3.3).
func isValue(b []byte) bool {
	for _, c := range b {
		if c == ' ' || c == '=' || ascii.IsControl(c) {
			return false
		}
	}
	return true
}
