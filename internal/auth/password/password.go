// Package password says what a name and a password can be, and reads PLAIN and LOGIN, the mechanisms that show both to
// the server. It links no cryptography: a server that has a program check them needs none.
package password

import (
	"bytes"
	"errors"
)

// The names of the mechanisms.
const (
	Plain = "PLAIN"
	Login = "LOGIN"
)

const (
	// Max is the most bytes of a password.
	Max = 1024
	// MaxName is the most bytes of a user's name.
	MaxName = 255
)

// ErrMessage says that the client says what does not belong here.
var ErrMessage = errors.New("password: bad message")

// Sound reports whether b can be a name or a password: something, no longer than limit, without a control byte.
func Sound[S string | []byte](b S, limit int) bool {
	for i := 0; i < len(b); i++ {
		if b[i] < ' ' || b[i] == 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= limit
}

// ReadPlain reads the message of PLAIN (RFC 4616). Nobody may be somebody else: where it names whom to act for, that is
// who logs in.
func ReadPlain(message []byte) (user string, word []byte, err error) {
	as, rest, ok := bytes.Cut(message, []byte{0})
	name, word, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 || len(as) > 0 && !bytes.Equal(as, name) {
		return "", nil, ErrMessage
	}
	return ReadLogin(name, word)
}

// ReadLogin reads the two messages of LOGIN.
func ReadLogin(name, word []byte) (user string, password []byte, err error) {
	if !Sound(name, MaxName) || !Sound(word, Max) {
		return "", nil, ErrMessage
	}
	return string(name), word, nil
}
