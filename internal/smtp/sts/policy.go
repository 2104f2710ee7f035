// Package sts is MTA-STS (RFC 8461): policies that a domain publishes by HTTPS about its mail exchangers, and the
// folder in which they are kept.
package sts

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/text/ascii"
)

// A Mode is what a domain wants done with a host that its policy does not allow.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // give it no mail
	Testing Mode = "testing" // give it mail
	None    Mode = "none"    // as if there were no policy
)

// A Policy is what a domain wants.
type Policy struct {
	Mode   Mode
	MX     []string // names, or "*." and what follows the first label
	MaxAge time.Duration
}

const (
	// MaxPolicy bounds the bytes of a policy (RFC 8461, section 3.3).
	MaxPolicy = 64 << 10
	// maxMX bounds its hosts.
	maxMX = 1000
	// maxAge is the longest that a policy may be kept.
	maxAge = 31557600 * time.Second
)

var (
	errVersion = errors.New("it is not of version STSv1")
	errMode    = errors.New("its mode is none of enforce, testing, none")
	errMX      = errors.New("it has no mx, or one that is no name")
	errMaxAge  = errors.New("its max_age is no number of seconds")
	errTooLong = errors.New("it is too long")
)

// Parse reads a policy. Keys that are not known are passed over; of several of one name but mx the first counts.
func Parse(b []byte) (p Policy, err error) {
	if len(b) > MaxPolicy {
		return p, errTooLong
	}
	seen := map[string]string{}
	for l := range bytes.Lines(b) {
		key, value, ok := strings.Cut(string(bytes.TrimRight(l, "\r\n")), ":")
		if !ok {
			continue
		}
		value = strings.Trim(value, " \t")
		if key == "mx" {
			if !tlsroutes.Hostname(strings.TrimPrefix(value, "*.")) || len(p.MX) == maxMX {
				return Policy{}, errMX
			}
			p.MX = append(p.MX, ascii.LowerString(value))
		} else if _, twice := seen[key]; !twice {
			seen[key] = value
		}
	}
	age, ok := seconds(seen["max_age"])
	p.Mode, p.MaxAge = Mode(seen["mode"]), min(age, maxAge)
	switch {
	case seen["version"] != "STSv1":
		return Policy{}, errVersion
	case p.Mode != Enforce && p.Mode != Testing && p.Mode != None:
		return Policy{}, errMode
	case len(p.MX) == 0 && p.Mode != None:
		return Policy{}, errMX
	case !ok:
		return Policy{}, errMaxAge
	}
	return p, nil
}

// seconds reads a number of at most ten digits.
func seconds(s string) (time.Duration, bool) {
	n, ok := control.ParseInt(s)
	if !ok || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// Allows reports whether a policy has a host. The asterisk of a pattern is one label (section 4.1).
func (p Policy) Allows(host string) bool {
	host = ascii.LowerString(host)
	_, rest, _ := strings.Cut(host, ".")
	for _, mx := range p.MX {
		if mx == host || rest != "" && mx == "*."+rest {
			return true
		}
	}
	return false
}

// ID returns the id of the one TXT record of _mta-sts.DOMAIN that speaks of a policy (section 3.1). Where there are
// several there is none.
func ID(records []string) (id string, ok bool) {
	for _, r := range records {
		version, rest, _ := strings.Cut(r, ";")
		if strings.TrimRight(version, " \t") != "v=STSv1" {
			continue
		}
		if ok {
			return "", false
		}
		ok = true
		for field := range strings.SplitSeq(rest, ";") {
			key, value, _ := strings.Cut(strings.Trim(field, " \t"), "=")
			if strings.TrimRight(key, " \t") == "id" && id == "" {
				id = strings.TrimLeft(value, " \t")
			}
		}
	}
	return id, ok && IsID(id)
}

// IsID reports whether s may be the id of a policy: 1 to 32 letters and digits.
func IsID(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
