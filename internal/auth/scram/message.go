package scram

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"qmail/internal/auth/password"
)

const (
	// Plain and Plus are the names of the mechanisms; the second proves the TLS connection as well.
	Plain = "SCRAM-SHA-256"
	Plus  = "SCRAM-SHA-256-PLUS"
	// exporter is the only kind of binding: what RFC 9266 defines for TLS 1.3.
	exporter = "p=tls-exporter"
	// maxMessage bounds a message, maxNonce a peer's part of the nonce.
	maxMessage, maxNonce = 12288, 512
)

var (
	// ErrMessage says that a message is not one of SCRAM, or not one that fits here.
	ErrMessage = errors.New("scram: bad message")
	// ErrProof says that the other side does not know the password.
	ErrProof = errors.New("scram: wrong password")
	// ErrBinding says that somebody stands between the two sides, or that one of them cannot bind.
	ErrBinding = errors.New("scram: wrong channel binding")
)

// nonce returns 24 characters that nobody can foretell.
func nonce() string {
	var b [18]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// attribute cuts "k=value" and the comma behind it off m.
func attribute(m []byte, k byte) (value, rest []byte, err error) {
	value, rest, _ = bytes.Cut(m, []byte(","))
	if len(value) < 2 || value[0] != k || value[1] != '=' {
		return nil, nil, ErrMessage
	}
	return value[2:], rest, nil
}

// isNonce reports whether s is printable ASCII without a comma, as a nonce is.
func isNonce(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || c == ',' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= maxNonce
}

// Escape writes a name as a message has it.
func Escape(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}

// Unescape undoes Escape. An equals sign that stands for nothing is an error.
func Unescape(b []byte) (string, error) {
	var s []byte
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '=' {
			switch {
			case bytes.HasPrefix(b[i:], []byte("=2C")):
				c = ','
			case !bytes.HasPrefix(b[i:], []byte("=3D")):
				return "", ErrMessage
			}
			i += 2
		}
		s = append(s, c)
	}
	if !password.Sound(s, password.MaxName) {
		return "", ErrMessage
	}
	return string(s), nil
}

func xor(a, b []byte) []byte {
	x := make([]byte, len(a))
	for i := range a {
		x[i] = a[i] ^ b[i]
	}
	return x
}
