package testqmail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"qmail/conf"
)

// A User is an account of a world.
type User struct {
	Name  string
	UID   int
	Home  string
	Owned bool // Home exists and belongs to the user
	Other bool // Home exists and belongs to root
}

// Group is a group that User joe belongs to besides the own one.
const Group, GroupID = "orcgrp", firstUID + 19

const homes = "/run/home/"

// firstUID is the number of the first account; the groups have the same numbers as their users.
const firstUID = 7790

// Users returns the ordinary accounts of a world.
func Users() []User {
	var us []User
	for i, n := range []string{"orcjoe", "orcsam", "orcann", "OrcUp", "orc-dash", "orcbadhome", "orcnohome", "me"} {
		us = append(us, User{
			Name: n, UID: firstUID + 20 + i, Home: homes + n,
			Owned: n != "orcbadhome" && n != "orcnohome", Other: n == "orcbadhome",
		})
	}
	return us
}

// lines returns what is added to passwd and group.
func lines() (passwd, group []string) {
	u, g := conf.UserNames(), conf.GroupNames()
	const qmailGID, noFilesGID = firstUID + 10, firstUID + 11
	group = append(group, fmt.Sprintf("%s:x:%d:", g.Qmail, qmailGID), fmt.Sprintf("%s:x:%d:", g.NoFiles, noFilesGID))
	for i, n := range []string{u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send, u.Key} {
		gid, home := noFilesGID, conf.Home()
		if n == u.Queue || n == u.Remote || n == u.Send || n == u.Key {
			gid = qmailGID
		}
		if n == u.Alias {
			home += "/alias"
		}
		passwd = append(passwd, fmt.Sprintf("%s:x:%d:%d::%s:/bin/true", n, firstUID+i, gid, home))
	}
	for _, w := range Users() {
		passwd = append(passwd, fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh", w.Name, w.UID, w.UID, w.Home))
		group = append(group, fmt.Sprintf("%s:x:%d:", w.Name, w.UID))
	}
	return passwd, append(group, fmt.Sprintf("%s:x:%d:orcjoe", Group, GroupID))
}

// writeAccounts makes passwd and group in folder etc: the machine's, with the accounts of a world in the place of
// those of the same names and numbers.
func writeAccounts(etc string) error {
	passwd, group := lines()
	if err := replaceAccounts(filepath.Join(etc, "passwd"), "/etc/passwd", passwd); err != nil {
		return err
	}
	if err := replaceAccounts(filepath.Join(etc, "group"), "/etc/group", group); err != nil {
		return err
	}
	return writeShadow(filepath.Join(etc, "shadow"), passwd)
}

// writeShadow has su, which asks PAM, know the accounts beside the machine's: nobody has a password.
func writeShadow(to string, passwd []string) error {
	old, err := os.ReadFile("/etc/shadow")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var text []byte
	for _, l := range passwd {
		name, _, _ := strings.Cut(l, ":")
		text = fmt.Appendf(text, "%s:*:20000:0:99999:7:::\n", name)
	}
	return os.WriteFile(to, append(text, old...), 0o600) // the first line of a name counts
}

func replaceAccounts(to, from string, added []string) error {
	old, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, l := range added {
		f := strings.Split(l, ":")
		ours[f[0]], ours[f[2]] = true, true
	}
	var kept []string
	for _, l := range strings.Split(strings.TrimSuffix(string(old), "\n"), "\n") {
		if f := strings.Split(l, ":"); len(f) > 2 && !ours[f[0]] && !ours[f[2]] {
			kept = append(kept, l)
		}
	}
	return os.WriteFile(to, []byte(strings.Join(append(kept, added...), "\n")+"\n"), 0o644)
}

// account looks an account up in the world's own passwd.
func account(name string) (uid, gid int, ok bool) {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return 0, 0, false
	}
	for _, l := range strings.Split(string(text), "\n") {
		if f := strings.Split(l, ":"); len(f) > 3 && f[0] == name {
			uid, err1 := strconv.Atoi(f[2])
			gid, err2 := strconv.Atoi(f[3])
			return uid, gid, err1 == nil && err2 == nil
		}
	}
	return 0, 0, false
}
