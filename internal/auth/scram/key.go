// Package scram is SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, 7677, 9266), and what a server keeps of
// a password (RFC 5803): whoever reads that can neither log in nor read the password.
//
// Names and passwords are bytes: those of ASCII are what SASLprep makes of them, others are not normalized, and control
// bytes are refused.
package scram

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"

	"qmail/internal/auth/password"
)

const (
	// Iterations is the count of a new key, and the least of any (RFC 7677, 4).
	Iterations = 4096
	// maxIterations bounds the work that an entry, or a hostile server, can ask for: a third of a second.
	maxIterations = 1 << 20
	// saltSize is the bytes of a new salt, maxSalt those of any.
	saltSize, maxSalt = 16, 64
	// scheme begins an entry.
	scheme = "SCRAM-SHA-256$"
)

var (
	// ErrEntry says that a text is not an entry of RFC 5803.
	ErrEntry = errors.New("scram: not SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER")
	// ErrPassword says that a password cannot be one.
	ErrPassword = errors.New("scram: empty, too long, or a control character")
)

// A Key is what a server keeps of a password.
type Key struct {
	iterations     int
	salt           []byte
	stored, server [sha256.Size]byte
}

// NewKey makes the key of a password, with a salt of its own.
func NewKey(password []byte) (Key, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return makeKey(password, salt, Iterations)
}

func makeKey(word, salt []byte, iterations int) (Key, error) {
	if !password.Sound(word, password.Max) {
		return Key{}, ErrPassword
	}
	salted, err := pbkdf2.Key(sha256.New, string(word), salt, iterations, sha256.Size)
	if err != nil {
		return Key{}, err
	}
	return Key{iterations, salt, sha256.Sum256(clientKey(salted)), [sha256.Size]byte(serverKey(salted))}, nil
}

func clientKey(salted []byte) []byte { return mac(salted, "Client Key") }
func serverKey(salted []byte) []byte { return mac(salted, "Server Key") }

func mac[S string | []byte](key []byte, text S) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Unknown is the key of a name that is not there, the same each time, and in no way to be told from others by who does
// not know secret. No password fits it.
func Unknown(secret []byte, name string) Key {
	k := Key{iterations: Iterations, salt: mac(secret, "salt "+name)[:saltSize]}
	k.stored = [sha256.Size]byte(mac(secret, "stored "+name))
	k.server = [sha256.Size]byte(mac(secret, "server "+name))
	return k
}

// Check reports whether the key is that of a password. It takes as long whether it is or not.
func (k Key) Check(password []byte) bool {
	given, err := makeKey(password, k.salt, k.iterations)
	return err == nil && subtle.ConstantTimeCompare(given.stored[:], k.stored[:]) == 1
}

// String is the entry of RFC 5803.
func (k Key) String() string {
	e := base64.StdEncoding.EncodeToString
	return scheme + strconv.Itoa(k.iterations) + ":" + e(k.salt) + "$" + e(k.stored[:]) + ":" + e(k.server[:])
}

// Parse reads an entry.
func Parse(entry []byte) (k Key, err error) {
	rest, ok := bytes.CutPrefix(entry, []byte(scheme))
	count, rest, ok1 := bytes.Cut(rest, []byte(":"))
	salt, rest, ok2 := bytes.Cut(rest, []byte("$"))
	stored, server, ok3 := bytes.Cut(rest, []byte(":"))
	if !ok || !ok1 || !ok2 || !ok3 {
		return Key{}, ErrEntry
	}
	if k.iterations, ok = iterations(count); !ok {
		return Key{}, ErrEntry
	}
	if k.salt, err = unbase64(salt); err != nil || len(k.salt) == 0 || len(k.salt) > maxSalt {
		return Key{}, ErrEntry
	}
	if !unbase64Sum(&k.stored, stored) || !unbase64Sum(&k.server, server) {
		return Key{}, ErrEntry
	}
	return k, nil
}

func unbase64Sum(to *[sha256.Size]byte, from []byte) bool {
	b, err := unbase64(from)
	return err == nil && len(b) == copy(to[:], b) && len(b) == len(to)
}

// iterations reads a count that is neither too small to be safe nor too large to be worked off.
func iterations(b []byte) (int, bool) {
	n, err := strconv.Atoi(string(b))
	return n, err == nil && b[0] != '+' && b[0] != '0' && n >= Iterations && n <= maxIterations
}

func unbase64(b []byte) ([]byte, error) {
	if bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 {
		return nil, ErrEntry
	}
	return base64.StdEncoding.Strict().AppendDecode(nil, b)
}
