// Package users decides who gets a local address: the text file users/assign, the constant
// database users/cdb that is made of it, and the answer of qmail-getpw; see qmail-users(5).
package users

import (
	"errors"
	"strconv"
)

// A User is who receives the mail for a local address.
type User struct {
	Name     string
	UID, GID int
	Home     string
	Dash     string // "-" before an extension, or empty
	Ext      string
}

// fields is the number of strings that a User travels as.
const fields = 6

// MaxAnswer is the most bytes of an answer of qmail-getpw that are read; a longer one is malformed.
const MaxAnswer = 64 << 10

var errMalformed = errors.New("malformed user record")

// Append appends the user as qmail-getpw prints it: six strings, each with a NUL after it.
func (u User) Append(b []byte) []byte {
	for _, s := range [fields]string{u.Name, strconv.Itoa(u.UID), strconv.Itoa(u.GID), u.Home, u.Dash, u.Ext} {
		b = append(b, s...)
		b = append(b, 0)
	}
	return b
}

// ParseUser reads what Append writes. What follows the sixth string is ignored.
func ParseUser(b []byte) (User, error) {
	var f [fields]string
	for i := range f {
		end := 0
		for end < len(b) && b[end] != 0 {
			end++
		}
		if end == len(b) {
			return User{}, errMalformed
		}
		f[i] = string(b[:end])
		b = b[end+1:]
	}
	uid, ok1 := number(f[1])
	gid, ok2 := number(f[2])
	if !ok1 || !ok2 || f[0] == "" {
		return User{}, errMalformed
	}
	return User{Name: f[0], UID: uid, GID: gid, Home: f[3], Dash: f[4], Ext: f[5]}, nil
}

// number reads a uid or gid: decimal digits and nothing else. The highest number means
// "nobody at all" to the kernel and is refused.
func number(s string) (n int, ok bool) {
	const highest = 1<<32 - 1
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil || v >= highest {
		return 0, false
	}
	return int(v), true
}
