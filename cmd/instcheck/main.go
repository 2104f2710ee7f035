// Instcheck compares the installed tree with what it should be, and prints a warning for each difference.
//
//	usage  instcheck SOURCE
//	fd 1   one warning a line
//	exit   0 when there is nothing to say; 1 after a warning; 100 for a wrong usage; 111 when it cannot tell
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

const warned exit.Code = 1

func main() {
	proc.Begin()
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
	for _, e := range entries {
		check(e, a, warn)
	}
	proc.Exit(code)
}

// check warns about each way in which an entry differs.
func check(e hier.Entry, a passwd.Accounts, warn func(path, text string)) {
	path := filepath.Join(conf.Home(), e.Path)
	look := os.Lstat
	if e.Kind == hier.Dir {
		look = os.Stat
	}
	fi, err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		warn(path, "does not exist")
		return
	}
	if err != nil {
		warn(path, "cannot be looked at: "+err.Error())
		return
	}
	if fi.Mode().Type() != kindOf(e.Kind) {
		warn(path, "is of the wrong kind")
		return
	}
	uid, gid := sys.Owner(fi)
	if want, ok := a.UIDs[e.Owner]; ok && uid != want {
		warn(path, fmt.Sprintf("has owner %d, not %s (%d)", uid, e.Owner, want))
	}
	if want, ok := a.GIDs[e.Group]; ok && gid != want {
		warn(path, fmt.Sprintf("has group %d, not %s (%d)", gid, e.Group, want))
	}
	if mode := fi.Mode() &^ fs.ModeType; mode != e.Mode {
		warn(path, fmt.Sprintf("has mode %04o, not %04o", hier.Entry{Mode: mode}.Bits(), e.Bits()))
	}
}

func kindOf(k hier.Kind) fs.FileMode {
	switch k {
	case hier.Dir:
		return fs.ModeDir
	case hier.Pipe:
		return fs.ModeNamedPipe
	}
	return 0
}
