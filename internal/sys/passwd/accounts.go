package passwd

import (
	"strconv"

	"qmail/conf"
)

// Accounts are the names of conf-users and conf-groups with their numbers, and the names that are missing.
type Accounts struct {
	UIDs, GIDs                  map[string]int
	MissingUsers, MissingGroups []string
	// NoKeys says that the user of the keys is missing, without which all but TLS and signed mail works. What would
	// belong to it is not made.
	NoKeys bool
}

// AccountsIn looks up all accounts in etc/passwd and etc/group below folder root. A missing account is not an error.
func AccountsIn(root string) (Accounts, error) {
	u, g := conf.UserNames(), conf.GroupNames()
	var a Accounts
	var err error
	users := []string{u.Alias, u.Daemon, u.Log, u.Root, u.Passwd, u.Queue, u.Remote, u.Send}
	if a.UIDs, a.MissingUsers, err = numbers(root+passwdFile, append(users, u.Key)); err != nil {
		return a, err
	}
	if n := len(a.MissingUsers); n > 0 && a.MissingUsers[n-1] == u.Key {
		a.MissingUsers, a.NoKeys = a.MissingUsers[:n-1], true
	}
	a.GIDs, a.MissingGroups, err = numbers(root+groupFile, []string{g.Qmail, g.NoFiles})
	return a, err
}

// numbers returns the third field of each name's first line.
func numbers(file string, names []string) (found map[string]int, missing []string, err error) {
	found = make(map[string]int, len(names))
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	err = eachLine(file, func(f []string) bool {
		if !wanted[f[0]] || len(f) < 3 {
			return true
		}
		if n, err := strconv.Atoi(f[2]); err == nil && n >= 0 {
			if _, ok := found[f[0]]; !ok {
				found[f[0]] = n
			}
		}
		return true
	})
	for _, n := range names {
		if _, ok := found[n]; !ok {
			missing = append(missing, n)
		}
	}
	return found, missing, err
}
