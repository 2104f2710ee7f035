// Install makes the qmail tree from a source tree that has been built. It may be repeated over a running
// installation: programs are replaced atomically, and what is in queue, control, users and alias is never touched.
//
//	uid    root, or the owner of all of conf-users in a test
//	usage  install SOURCE [DESTDIR MANIFEST]
//	       with DESTDIR the tree is made below it and MANIFEST lists "mode owner group path" for all of it; where
//	       the accounts or the right to give files away are missing, the manifest is all that knows the owners
//	exit   0; 100 for a wrong usage; 111 when accounts are missing or the tree cannot be made
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	if len(os.Args) != 2 && len(os.Args) != 4 {
		proc.Die(exit.Perm, "install: usage: install source [destdir manifest]")
	}
	in := &installer{source: os.Args[1], notice: func(s string) { os.Stdout.WriteString("install: " + s + "\n") }}
	manifest := ""
	if len(os.Args) == 4 {
		in.dest, manifest = filepath.Clean(os.Args[2]), os.Args[3]
	}
	if err := in.run(manifest); err != nil {
		proc.Die(exit.Temp, "install: fatal: "+err.Error())
	}
	proc.Exit(exit.OK)
}

// run makes the tree and, where asked for, the manifest.
func (in *installer) run(manifest string) error {
	entries, err := hier.Tree(os.DirFS(in.source))
	if err != nil {
		return err
	}
	if err := in.findAccounts(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(in.dest, filepath.Dir(conf.Home())), 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		if err := in.entry(e); err != nil {
			return err
		}
	}
	if manifest == "" {
		return nil
	}
	text := []byte{}
	for _, e := range entries {
		text = fmt.Appendf(text, "%04o %s %s %s\n", e.Bits(), e.Owner, e.Group, filepath.Join(conf.Home(), e.Path))
	}
	return os.WriteFile(manifest, text, 0o644)
}

// findAccounts looks up whom the files will belong to: in DESTDIR's own passwd where it has one. Missing accounts
// are fatal, except below a DESTDIR.
func (in *installer) findAccounts() error {
	root := ""
	if in.dest != "" {
		if _, err := os.Stat(filepath.Join(in.dest, "etc/passwd")); err == nil {
			root = in.dest
		}
	}
	a, err := passwd.AccountsIn(root)
	if errors.Is(err, fs.ErrNotExist) && in.dest != "" {
		return nil
	}
	if err != nil {
		return err
	}
	if len(a.MissingUsers)+len(a.MissingGroups) > 0 {
		if in.dest != "" {
			in.notice("accounts are missing here: the owners are in the manifest only")
			return nil
		}
		return errors.New(missing(a))
	}
	in.accounts = &a
	return nil
}
