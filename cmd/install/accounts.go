package main

import (
	"slices"
	"strings"

	"qmail/conf"
	"qmail/internal/sys/passwd"
)

// missing says which accounts are missing and how to add them; see INSTALL.ids.
func missing(a passwd.Accounts) string {
	u, g := conf.UserNames(), conf.GroupNames()
	var b strings.Builder
	b.WriteString("nothing has been installed, since this system lacks")
	for _, n := range a.MissingGroups {
		b.WriteString(" group " + n)
	}
	for _, n := range a.MissingUsers {
		b.WriteString(" user " + n)
	}
	b.WriteString(
		".\nAs root, add them (docs/INSTALL.ids.md has the commands of other systems) and run make setup again:\n")
	for _, n := range a.MissingGroups {
		b.WriteString("  groupadd --system " + n + "\n")
	}
	users := a.MissingUsers
	if a.NoKeys && u.Key != "" {
		users = append(users, u.Key)
	}
	for _, n := range users {
		group, home := g.NoFiles, conf.Home()
		if slices.Contains([]string{u.Queue, u.Remote, u.Send, u.Key}, n) {
			group = g.Qmail
		}
		if n == u.Alias {
			home += "/alias"
		}
		b.WriteString("  useradd --system -g " + group + " -d " + home + " -s /bin/true " + n + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
