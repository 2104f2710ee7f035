// Package conf holds the choices made when the suite is built: the conf-* files of this
// folder, embedded, and its version. Home comes from here alone, never from the environment, since
// qmail-queue is setuid.
package conf

import (
	_ "embed"
	"io/fs"
)

var (
	//go:embed conf-qmail
	home string
	//go:embed conf-users
	users string
	//go:embed conf-groups
	groups string
	//go:embed conf-patrn
	patrn string
	//go:embed conf-split
	split string
	//go:embed conf-spawn
	spawn string
	//go:embed conf-break
	breakChar string
	//go:embed VERSION
	version string
)

// Version returns the version of the suite, as CHANGES.md counts them.
func Version() string { return line(version, 0) }

// Home returns the absolute path of the qmail home directory, without a trailing slash.
func Home() string { return line(home, 0) }

// Users are the account names of conf-users.
type Users struct {
	Alias, Daemon, Log, Root, Passwd, Queue, Remote, Send string
	Key                                                   string // may be missing, as may the account
}

// UserNames returns the nine account names. A C qmail has the first eight.
func UserNames() Users {
	return Users{
		Alias: line(users, 0), Daemon: line(users, 1), Log: line(users, 2), Root: line(users, 3),
		Passwd: line(users, 4), Queue: line(users, 5), Remote: line(users, 6), Send: line(users, 7),
		Key: line(users, 8),
	}
}

// Groups are the group names of conf-groups.
type Groups struct{ Qmail, NoFiles string }

// GroupNames returns the two group names.
func GroupNames() Groups { return Groups{Qmail: line(groups, 0), NoFiles: line(groups, 1)} }

// Patrn returns the permission bits that make a home directory or .qmail file unsafe.
func Patrn() fs.FileMode { return fs.FileMode(number(line(patrn, 0), 8, 0o777)) }

// Split returns the number of subdirectories of mess, info, local and remote; at least 1.
func Split() uint64 { return max(1, uint64(number(line(split, 0), 10, 1<<20))) }

// Spawn returns the most deliveries that a spawner runs at once; at least 1, at most 65535.
func Spawn() int { return max(1, number(line(spawn, 0), 10, 65535)) }

// Break returns the byte between a user name and an extension.
func Break() byte {
	if b := line(breakChar, 0); b != "" {
		return b[0]
	}
	return '-'
}

// line returns line n of text, counted from 0, without spaces and tabs at its end.
func line(text string, n int) string {
	start := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '\n' {
			continue
		}
		if n == 0 {
			return trim(text[start:i])
		}
		n--
		start = i + 1
	}
	if n == 0 {
		return trim(text[start:])
	}
	return ""
}

func trim(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t' || s[len(s)-1] == '\r') {
		s = s[:len(s)-1]
	}
	return s
}

// number reads the digits that s begins with, at most limit.
func number(s string, base, limit int) int {
	n := 0
	for i := 0; i < len(s) && s[i] >= '0' && int(s[i]-'0') < base; i++ {
		n = min(limit, n*base+int(s[i]-'0'))
	}
	return n
}
