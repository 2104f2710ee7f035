// Package crypt checks passwords against the hashes of /etc/shadow, as crypt(5) has them: yescrypt, SHA-512, SHA-256,
// bcrypt and MD5. Only checkpassword links it.
package crypt

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strconv"
	"strings"

	"github.com/go-crypt/x/bcrypt"
	shacrypt "github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
)

const (
	// usualRounds are those of a SHA hash that does not say, leastRounds and mostRounds those that there can be: the work
	// of some seconds.
	usualRounds, leastRounds, mostRounds = 5000, 1000, 10_000_000
	// maxSalt is the most bytes of the salt of a SHA hash, maxMD5Salt that of an MD5 hash.
	maxSalt, maxMD5Salt = 16, 8
)

// Known reports whether hash is of a kind that Check knows: no password is locked that way, or empty.
func Known(hash string) bool { return compute(hash) != nil }

// Check reports whether a password is that of a hash.
func Check(hash string, password []byte) bool {
	f := compute(hash)
	if f == nil || len(password) == 0 {
		return false
	}
	got := f(password)
	return len(got) == len(hash) && subtle.ConstantTimeCompare([]byte(got), []byte(hash)) == 1
}

// compute returns what makes the hash of a password, with the kind and salt of hash.
func compute(hash string) func(password []byte) string {
	kind, rest, ok := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	if !ok || hash[0] != '$' {
		return nil
	}
	switch kind {
	case "y":
		return func(p []byte) string {
			b, err := yescrypt.Hash(p, []byte(hash))
			if err != nil {
				return ""
			}
			return string(b)
		}
	case "6":
		return sha("$6$", rest, sha512.New)
	case "5":
		return sha("$5$", rest, sha256.New)
	case "2a", "2b", "2y":
		return func(p []byte) string {
			if bcrypt.CompareHashAndPassword([]byte(hash), p) != nil {
				return ""
			}
			return hash
		}
	case "1":
		salt, _, ok := strings.Cut(rest, "$")
		if !ok || len(salt) > maxMD5Salt {
			return nil
		}
		return func(p []byte) string { return "$1$" + salt + "$" + string(shacrypt.KeyMD5Crypt(p, []byte(salt))) }
	}
	return nil
}

func sha(head, rest string, h func() hash.Hash) func([]byte) string {
	rounds := usualRounds
	if s, ok := strings.CutPrefix(rest, "rounds="); ok {
		count, after, ok := strings.Cut(s, "$")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || n < leastRounds || n > mostRounds {
			return nil
		}
		rounds, rest, head = n, after, head+"rounds="+count+"$"
	}
	salt, _, ok := strings.Cut(rest, "$")
	if !ok || len(salt) > maxSalt {
		return nil
	}
	return func(p []byte) string {
		return head + salt + "$" + string(shacrypt.KeySHACrypt(h, p, []byte(salt), rounds))
	}
}
