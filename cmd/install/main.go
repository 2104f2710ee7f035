// Install makes the qmail tree from a source tree that has been built. It may be repeated over a running
// installation: programs are replaced atomically, and what is in queue, control, users and alias is never touched.
//
//	uid    root, or the owner of all of conf-users in a test
//	usage  install SOURCE [DESTDIR MANIFEST]
//	       with DESTDIR the tree is made below it and MANIFEST lists "mode owner group path" for all of it; where
//	       the accounts or the right to give files away are missing, the manifest is all that knows the owners
//	       install -p MANIFEST
//	       for a package that has unpacked such a tree: what the queue needs is made, owners and modes are put right
//	fd 2   why it failed; a line for each thing that another user may have put where it works, and that it left alone
//	exit   0; 100 for a wrong usage; 111 when accounts are missing or not all of the tree could be made
package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"qmail/internal/site/hier"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

func main() {
	proc.Begin()
	proc.Help("install: usage: install source [destdir manifest], or install -p manifest")
	in := &installer{notice: func(s string) { os.Stdout.WriteString("install: " + s + "\n") }}
	manifest := ""
	options := getopt.New("install", os.Args[1:], "p")
	for options.Next() {
		in.packaged = true
	}
	switch args := options.Rest(); {
	case options.Mistake == "" && in.packaged && len(args) == 1:
		manifest = args[0]
	case options.Mistake == "" && !in.packaged && len(args) == 1:
		in.source = args[0]
	case options.Mistake == "" && !in.packaged && len(args) == 3:
		in.source, in.dest, manifest = args[0], filepath.Clean(args[1]), args[2]
	default:
		proc.Die(exit.Perm, "install: usage: install source [destdir manifest], or install -p manifest")
	}
	if err := in.run(manifest); err != nil {
		proc.Die(exit.Temp, fatal+err.Error())
	}
	proc.Exit(exit.OK)
}

// run makes the tree and, where asked for, the manifest.
func (in *installer) run(manifest string) error {
	if in.packaged {
		entries, err := readManifest(manifest)
		if err == nil {
			err = in.findAccounts()
		}
		if err == nil {
			err = in.all(in.possible(entries))
		}
		return err
	}
	entries, err := hier.Tree(os.DirFS(in.source))
	if err == nil {
		err = in.findAccounts()
	}
	if err == nil {
		err = in.all(in.possible(entries))
	}
	if err != nil || manifest == "" {
		return err
	}
	return writeManifest(manifest, entries)
}

// possible leaves out what would belong to a user that need not exist.
func (in *installer) possible(entries []hier.Entry) []hier.Entry {
	if in.accounts == nil || !in.accounts.NoKeys {
		return entries
	}
	in.notice(hier.KeysOff())
	return hier.WithoutKeys(entries)
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
