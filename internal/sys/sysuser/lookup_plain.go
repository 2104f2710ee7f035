//go:build !cgo

package sysuser

import (
	"errors"

	"qmail/internal/sys/passwd"
)

// How says how users are looked up.
const How = "/etc/passwd"

// Lookup returns a user by name.
func Lookup(name string) (User, error) {
	e, err := passwd.Lookup(name)
	if errors.Is(err, passwd.ErrUnknown) {
		return User{}, ErrUnknown
	}
	if err != nil {
		return User{}, err
	}
	return User{Name: e.Name, UID: e.UID, GID: e.GID, Home: e.Home}, nil
}
