// Instcheck compares the installed tree with what it should be, and prints a warning for each difference.
//
//	usage  instcheck SOURCE
//	fd 1   one warning a line
//	exit   0 when there is nothing to say; 1 after a warning; 100 for a wrong usage; 111 when it cannot tell
package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/tls/chain"
)

const warned exit.Code = 1

func main() {
	proc.Begin()
	proc.Help("instcheck: usage: instcheck source")
	if len(os.Args) != 2 {
		proc.Die(exit.Perm, "instcheck: usage: instcheck source")
	}
	entries, err := hier.Tree(os.DirFS(os.Args[1]))
	if err != nil {
		proc.Die(exit.Temp, "instcheck: fatal: "+err.Error())
	}
	a, err := passwd.AccountsIn("")
	if err != nil {
		proc.Die(exit.Temp, "instcheck: fatal: "+err.Error())
	}
	code := exit.OK
	warn := func(path, text string) {
		code = warned
		os.Stdout.WriteString("instcheck: warning: " + path + " " + text + "\n")
	}
	for _, n := range a.MissingUsers {
		warn("user "+n, "does not exist")
	}
	for _, n := range a.MissingGroups {
		warn("group "+n, "does not exist")
	}
	if a.NoKeys {
		entries = hier.WithoutKeys(entries)
		if len(chain.All(control.Default())) > 0 {
			warn(filepath.Join(conf.Home(), "control", chain.Folder), "is of no use: "+hier.KeysOff())
		}
	}
	top, err := sys.OpenFolder("/")
	if err != nil {
		proc.Die(exit.Temp, "instcheck: fatal: "+err.Error())
	}
	said := map[string]bool{}
	for _, e := range entries {
		err := check(top, e, a, warn)
		if u, ok := errors.AsType[*sys.UnsafeError](err); ok && !said[u.Path] {
			said[u.Path] = true
			warn(u.Path, u.Why)
		}
	}
	lineEnds(conf.Home(), warn)
	certificates(top, control.Default(), a, time.Now(), warn)
	proc.Exit(code)
}
