package sasl

import (
	"bytes"

	"qmail/internal/auth/password"
	"qmail/internal/auth/scram"
	"qmail/internal/text/ascii"
)

// maxToken is the most bytes of a token.
const maxToken = 8 << 10

// ReadBearer reads the message of OAUTHBEARER (RFC 7628).
func ReadBearer(message []byte) (user string, token []byte, err error) {
	flag, rest, ok := bytes.Cut(message, []byte(","))
	as, rest, ok2 := bytes.Cut(rest, []byte(","))
	name, ok3 := bytes.CutPrefix(as, []byte("a="))
	if !ok || !ok2 || !ok3 || string(flag) != "n" && string(flag) != "y" || len(rest) == 0 || rest[0] != 1 {
		return "", nil, ErrMessage
	}
	if user, err = scram.Unescape(name); err != nil {
		return "", nil, ErrMessage
	}
	token, err = bearer(rest[1:])
	return user, token, err
}

// ReadXOAuth2 reads the message of XOAUTH2.
func ReadXOAuth2(message []byte) (user string, token []byte, err error) {
	name, rest, ok := bytes.Cut(message, []byte{1})
	name, ok2 := bytes.CutPrefix(name, []byte("user="))
	if !ok || !ok2 || !password.Sound(name, password.MaxName) {
		return "", nil, ErrMessage
	}
	token, err = bearer(rest)
	return string(name), token, err
}

// bearer finds the token among pairs of a key and a value, each with a 1 behind it, and one more behind the last.
func bearer(pairs []byte) (token []byte, err error) {
	for {
		pair, rest, ok := bytes.Cut(pairs, []byte{1})
		if !ok {
			return nil, ErrMessage
		}
		if len(pair) == 0 {
			if len(rest) > 0 || token == nil {
				return nil, ErrMessage
			}
			return token, nil
		}
		if value, ok := bytes.CutPrefix(pair, []byte("auth=")); ok {
			kind, value, _ := bytes.Cut(value, []byte(" "))
			if token != nil || ascii.LowerString(string(kind)) != "bearer" || !isToken(value) {
				return nil, ErrMessage
			}
			token = value
		}
		pairs = rest
	}
}

// isToken reports whether b is printable ASCII without a blank.
func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxToken
}
