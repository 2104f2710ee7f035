package dkim

import (
	"bytes"
	"errors"
	"strings"

	"qmail/internal/text/ascii"
)

// FieldName is the name of the field that a signature stands in.
const FieldName = "DKIM-Signature"

// A Signature is what such a field says: RFC 6376, section 3.5.
type Signature struct {
	Algorithm Algorithm
	Domain    string // d=, in lower case
	Selector  string // s=, in lower case
	Identity  string // i=, as it stands there; empty: there is none
	Header    Canon
	Body      Canon
	Names     []string // h=, in lower case
	BodyHash  []byte
	Value     []byte // b=
	Length    int64  // l=; negative: there is none, and the whole body is signed
	Time      int64  // t=, in seconds since 1970; 0: unknown
	Expires   int64  // x=, the same
}

// An Algorithm is how a signature is made.
type Algorithm string

const (
	RSA     Algorithm = "rsa-sha256"
	Ed25519 Algorithm = "ed25519-sha256"

	rsaSHA1 Algorithm = "rsa-sha1" // RFC 8301 lets it count no more
)

// What is wrong with a signature.
var (
	errVersion   = errors.New("v= is not 1")
	errAlgorithm = errors.New("the algorithm is unknown")
	errCanon     = errors.New("c= is unknown")
	errDomain    = errors.New("d= is no domain")
	errSelector  = errors.New("s= is no selector")
	errIdentity  = errors.New("i= is not in d=")
	errNames     = errors.New("h= is malformed")
	errManyNames = errors.New("h= has too many names")
	errFrom      = errors.New("the From is not signed")
	errHash      = errors.New("bh= is malformed")
	errValue     = errors.New("b= is malformed")
	errLength    = errors.New("l= is malformed")
	errTimes     = errors.New("t= or x= is malformed")
	errQuery     = errors.New("q= has no method that is known")
)

// parseSignature reads the value of a field. What could be read is there with an error, too.
func parseSignature(value []byte, l Limits) (s Signature, list tags, err error) {
	s.Length = -1
	if list, err = parseTags(value); err != nil {
		return s, nil, err
	}
	get := func(name string) string {
		v, _ := list.get(name)
		return v
	}
	s.Domain, s.Selector = ascii.LowerString(get("d")), ascii.LowerString(get("s"))
	s.Algorithm, s.Identity = Algorithm(get("a")), get("i")
	var ok bool
	switch {
	case get("v") != "1":
		return s, list, errVersion
	case !IsHost(s.Domain):
		s.Domain = ""
		return s, list, errDomain
	case !IsHost(s.Selector):
		s.Selector = ""
		return s, list, errSelector
	case s.Algorithm != RSA && s.Algorithm != Ed25519 && s.Algorithm != rsaSHA1:
		return s, list, errAlgorithm
	}
	if c, there := list.get("c"); there {
		if s.Header, s.Body, ok = parseCanon(c); !ok {
			return s, list, errCanon
		}
	}
	if q, there := list.get("q"); there && !strings.Contains(":"+unfold(q)+":", ":dns/txt:") {
		return s, list, errQuery
	}
	if s.Identity != "" && !within(s.Identity, s.Domain) {
		return s, list, errIdentity
	}
	if s.Names, err = parseNames(get("h"), l.Names); err != nil {
		return s, list, err
	}
	if s.BodyHash, err = decode64(get("bh")); err != nil || len(s.BodyHash) == 0 {
		return s, list, errHash
	}
	if s.Value, err = decode64(get("b")); err != nil || len(s.Value) == 0 {
		return s, list, errValue
	}
	return s, list, s.parseNumbers(list)
}

func (s *Signature) parseNumbers(list tags) error {
	for _, f := range [...]struct {
		name string
		to   *int64
		err  error
	}{{"l", &s.Length, errLength}, {"t", &s.Time, errTimes}, {"x", &s.Expires, errTimes}} {
		if v, there := list.get(f.name); there {
			n, ok := number(v)
			if !ok {
				return f.err
			}
			*f.to = n
		}
	}
	if _, there := list.get("x"); there && s.Expires <= s.Time {
		return errTimes
	}
	return nil
}

// parseNames reads h=, which has From among its names.
func parseNames(h string, most int) ([]string, error) {
	if strings.Count(h, ":") >= most {
		return nil, errManyNames
	}
	list, from := words(h), false
	for i, name := range list {
		if !isFieldName(name) {
			return nil, errNames
		}
		list[i] = ascii.LowerString(name)
		from = from || list[i] == "from"
	}
	if !from {
		return nil, errFrom
	}
	return list, nil
}

// isFieldName reports whether s can be the name of a field: printable, and no colon.
func isFieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 127 || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// IsHost reports whether s may be a name in the DNS: labels of letters, digits, hyphens, underscores, and what may
// be UTF-8 (RFC 8616).
func IsHost(s string) bool {
	label := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.' && label > 0:
			label = 0
			continue
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c >= 0x80:
			label++
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0 && len(s) <= 253
}

// within reports whether an identity is in a domain or below it.
func within(identity, domain string) bool {
	i := strings.LastIndexByte(identity, '@')
	host := ascii.LowerString(identity[i+1:])
	return i >= 0 && (host == domain || strings.HasSuffix(host, "."+domain))
}

// Record is the name of the DNS record that the key is in.
func (s Signature) Record() string { return s.Selector + "._domainkey." + s.Domain }

// without returns the field of a signature as it was signed: b= empty, and no line end behind it. The value begins at
// colon+1; list is what was read of it. Only the tag itself counts: other values may look like it.
func without(raw []byte, colon int, list tags) []byte {
	raw = bytes.TrimSuffix(raw, lineEnd)
	for _, t := range list {
		if t.name == "b" {
			start, end := colon+1+t.start, min(colon+1+t.end, len(raw))
			return append(raw[:start:start], raw[end:]...)
		}
	}
	return raw
}
