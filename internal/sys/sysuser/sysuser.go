// Package sysuser looks users up as the system does, for qmail-getpw alone. Built with cgo it asks
// whatever nsswitch.conf names (files, LDAP, SSSD); built without, it reads /etc/passwd.
package sysuser

import "errors"

// A User is what the lookup says about one.
type User struct {
	Name     string
	UID, GID int
	Home     string
}

// ErrUnknown says that the system has no user of that name: the lookup went without any error and found nothing. Any
// other error says nothing about the user.
var ErrUnknown = errors.New("no such user")
