// Package tlsroutes reads control/tlsroutes, which says how connections to other hosts are made secret; see
// qmail-tlsremote(8).
package tlsroutes

import (
	"encoding/hex"
	"errors"
	"strings"

	"qmail/internal/text/ascii"
)

// A Policy is what a line asks for.
type Policy uint8

// The policies, from the weakest to the strongest.
const (
	None        Policy = iota // no TLS
	May                       // TLS where it is offered, else none
	Encrypt                   // TLS, whoever answers
	Verify                    // TLS with a certificate that trusted roots vouch for, and that has the name
	Fingerprint               // TLS with one of certain certificates or keys
)

// names are the words of the file, by Policy.
var names = [...]string{"none", "may", "encrypt", "verify", "fingerprint"}

func (p Policy) String() string { return names[p] }

// An Entry is one line.
type Entry struct {
	Key    string // a name, a suffix with its dot, an address, or nothing: the default
	Policy Policy
	Names  []string // Verify: what the certificate may be for, a name or a suffix with its dot; none: the host's name
	Prints []string // Fingerprint: SHA-256 of a certificate or of its key, 32 bytes each
	Bad    error    // why the line makes no sense; whatever it matches waits until that is mended
}

var (
	errPolicy   = errors.New("its policy is none of none, may, encrypt, verify, fingerprint")
	errArgument = errors.New("this policy takes no argument")
	errName     = errors.New("a name for the certificate is not one")
	errPrint    = errors.New("a fingerprint is not 64 hexadecimal digits")
)

// Parse reads a line. Whatever it is there is an Entry, since a line that asks for something must not be passed over.
func Parse(line string) Entry {
	key, rest := splitKey(line)
	word, argument, has := strings.Cut(rest, ":")
	e := Entry{Key: ascii.LowerString(bare(key))}
	for i, n := range names {
		if ascii.Equal(word, n) {
			e.Policy = Policy(i)
			e.Bad = e.arguments(argument, has)
			return e
		}
	}
	e.Bad = errPolicy
	return e
}

// splitKey cuts a line at the first colon that is not in brackets.
func splitKey(line string) (key, rest string) {
	from := 0
	if strings.HasPrefix(line, "[") {
		from = max(0, strings.IndexByte(line, ']'))
	}
	key, rest, _ = strings.Cut(line[from:], ":")
	return line[:from] + key, rest
}

// bare returns an address without brackets.
func bare(name string) string {
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		return name[1 : len(name)-1]
	}
	return name
}

func (e *Entry) arguments(argument string, has bool) error {
	switch {
	case e.Policy == Fingerprint:
		for p := range strings.SplitSeq(argument, ",") {
			b, err := hex.DecodeString(strings.ReplaceAll(p, ":", ""))
			if err != nil || len(b) != 32 {
				return errPrint
			}
			e.Prints = append(e.Prints, string(b))
		}
	case e.Policy == Verify && has:
		for n := range strings.SplitSeq(argument, ",") {
			if !Hostname(strings.TrimPrefix(n, ".")) {
				return errName
			}
			e.Names = append(e.Names, ascii.LowerString(n))
		}
	case has:
		return errArgument
	}
	return nil
}

// Hostname reports whether s may be the name of a host: labels of letters, digits and hyphens.
func Hostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
			if !letter && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// A Table has the lines by their keys.
type Table map[string]Entry

// New makes a Table of lines. The first of several with one key counts.
func New(lines []string) Table {
	t := make(Table, len(lines))
	for _, l := range lines {
		e := Parse(l)
		if _, ok := t[e.Key]; !ok {
			t[e.Key] = e
		}
	}
	return t
}

// Exact returns the entry for one of the names, the first that has one.
func (t Table) Exact(names ...string) (e Entry, ok bool) {
	for _, n := range names {
		if e, ok = t[ascii.LowerString(bare(n))]; ok && e.Key != "" {
			return e, true
		}
	}
	return Entry{}, false
}

// Suffix returns the entry with the longest suffix of one of the names, else the default. Among equals the first name
// counts.
func (t Table) Suffix(names ...string) (best Entry, ok bool) {
	for _, n := range names {
		n = ascii.LowerString(n)
		for i := 1; i < len(n); i++ {
			if n[i] != '.' {
				continue
			}
			if e, found := t[n[i:]]; found {
				if !ok || len(e.Key) > len(best.Key) {
					best, ok = e, true
				}
				break
			}
		}
	}
	if !ok {
		best, ok = t[""]
	}
	return best, ok
}
