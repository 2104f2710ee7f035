// Package srs is the Sender Rewriting Scheme: who passes a message on writes its sender as an address of his own, in
// which the old one stands, the day, and a hash that only he can make. So SPF holds for him, and a bounce that comes
// back goes to the old address, for some days.
//
//	SRS0=HASH=DAY=DOMAIN=LOCAL              LOCAL@DOMAIN, passed on once
//	SRS1=HASH=FIRST==HASH=DAY=DOMAIN=LOCAL  what FIRST has made of that, passed on again; only FIRST can check it
package srs

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"qmail/internal/text/ascii"
)

const (
	once, again = "SRS0", "SRS1"
	separators  = "=-+" // behind once and again; within, it is always =
	inner       = "="
	// maxAddress is the longest address that is made or read.
	maxAddress = 1000
	// days is how many of them have a name; then they begin anew.
	days = 1 << 10
	// fullHash is how many characters a hash has that is not cut.
	fullHash = 27
	letters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// Why an address is none that leads back.
var (
	ErrForm    = errors.New("this is no SRS address")
	ErrForged  = errors.New("the hash in this SRS address is not one of ours")
	ErrExpired = errors.New("this SRS address is too old")
)

// A Scheme makes and reads the addresses of one host.
type Scheme struct {
	Domain     string
	Secrets    []string // the first one makes a hash, each may have made one
	MaxAge     int      // days
	HashLength int      // characters that are made
	HashMin    int      // that are asked for
	Separator  string
}

// Forward returns the address for a sender; ok is false where it has none: it is not one that mail could be sent to,
// or too long.
func (s *Scheme) Forward(sender string, now time.Time) (address string, ok bool) {
	local, domain, ok := split(sender)
	if !ok {
		return "", false
	}
	rest, tag := tagOf(local)
	parts := []string{dayOf(now), domain, local}
	if tag == again {
		_, first, theirs, ok := cut2(rest[1:])
		if ok && first != "" && strings.IndexByte(first, '@') < 0 && isTail(theirs) {
			parts = []string{first, theirs}
		} else {
			tag = once
		}
	} else if tag == once {
		tag, parts = again, []string{domain, rest}
	} else {
		tag = once
	}
	address = tag + s.Separator + s.hash(s.Secrets[0], parts...)[:s.HashLength] + inner + strings.Join(parts, inner)
	address += "@" + s.Domain
	return address, len(address) <= maxAddress
}

// Reverse returns what the local part of an address of ours leads back to. An error is one of those above.
func (s *Scheme) Reverse(local string, now time.Time) (address string, err error) {
	if len(local) > maxAddress || ascii.HasControl(local) {
		return "", ErrForm
	}
	rest, tag := tagOf(local)
	switch tag {
	case once:
		hash, day, rest, ok := cut2(rest[1:])
		domain, user, more := strings.Cut(rest, inner)
		if !ok || !more || domain == "" || user == "" || strings.IndexByte(domain, '@') >= 0 {
			return "", ErrForm
		}
		if !s.made(hash, day, domain, user) {
			return "", ErrForged
		}
		if !s.fresh(day, now) {
			return "", ErrExpired
		}
		return user + "@" + domain, nil
	case again:
		hash, first, theirs, ok := cut2(rest[1:])
		if !ok || first == "" || !isTail(theirs) || strings.IndexByte(first, '@') >= 0 {
			return "", ErrForm
		}
		if !s.made(hash, first, theirs) {
			return "", ErrForged
		}
		return once + theirs + "@" + first, nil
	}
	return "", ErrForm
}

// split returns the two parts of an address that can be rewritten.
func split(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || len(address) > maxAddress || ascii.HasControl(address) {
		return "", "", false
	}
	local, domain = address[:at], address[at+1:]
	return local, domain, domain != "" && !strings.ContainsAny(domain, inner+"\"[]<> ")
}

// tagOf returns the tag that a local part begins with, in either case, and what stands behind it, a separator first.
func tagOf(local string) (rest, tag string) {
	if len(local) <= len(once) || strings.IndexByte(separators, local[len(once)]) < 0 {
		return "", ""
	}
	rest = local[len(once):]
	for _, t := range [...]string{once, again} {
		if ascii.HasPrefix(local, t) {
			return rest, t
		}
	}
	return "", ""
}

// isTail reports whether s can be what stands behind a tag.
func isTail(s string) bool { return s != "" && strings.IndexByte(separators, s[0]) >= 0 }

// cut2 cuts two parts off.
func cut2(s string) (first, second, rest string, ok bool) {
	first, rest, _ = strings.Cut(s, inner)
	second, rest, ok = strings.Cut(rest, inner)
	return first, second, rest, ok
}

// hash returns all of a hash. Case does not count on its way, as hosts change it, and there is nothing between the
// parts: other implementations do the same.
func (s *Scheme) hash(secret string, parts ...string) string {
	h := hmac.New(sha1.New, []byte(secret))
	for _, p := range parts {
		h.Write([]byte(ascii.LowerString(p)))
	}
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil))
}

// made reports whether a hash is one that we have made, whatever has become of its case.
func (s *Scheme) made(hash string, parts ...string) bool {
	if len(hash) < s.HashMin || len(hash) > fullHash {
		return false
	}
	given, found := []byte(ascii.LowerString(hash)), 0
	for _, secret := range s.Secrets {
		found |= subtle.ConstantTimeCompare(given, []byte(ascii.LowerString(s.hash(secret, parts...)[:len(hash)])))
	}
	return found == 1
}

func dayOf(now time.Time) string {
	day := now.Unix() / (24 * 60 * 60) % days
	return string([]byte{letters[day>>5], letters[day&31]})
}

// fresh reports whether a day is not over for too long.
func (s *Scheme) fresh(day string, now time.Time) bool {
	if len(day) != 2 {
		return false
	}
	n := 0
	for _, c := range []byte(day) {
		v := strings.IndexByte(ascii.LowerString(letters), ascii.LowerByte(c))
		if v < 0 {
			return false
		}
		n = n<<5 | v
	}
	age := (int(now.Unix()/(24*60*60)%days) - n + days) % days
	return age <= s.MaxAge
}
