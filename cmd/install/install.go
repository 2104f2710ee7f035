package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

// fatal begins each line about a failure.
const fatal = "install: fatal: "

// An installer makes entries of the tree. What is in the way of one, and may be another user's doing, stops that one
// alone: nobody can keep new programs away.
type installer struct {
	source   string
	dest     string           // before every path; empty: the machine itself
	packaged bool             // the files of the suite are in place: they only get owners and modes
	accounts *passwd.Accounts // nil: nothing is given away
	notice   func(string)

	top     *sys.Folder // dest or /
	refused map[string]bool
	unsafe  []string
}

// all makes all entries. What belongs to root gets its owner before anything is put into it, and what does not gets it
// last: until then nobody else can interfere.
func (in *installer) all(entries []hier.Entry) error {
	base := in.dest
	if base == "" {
		base = "/"
	}
	err := os.MkdirAll(base, 0o755)
	if err == nil {
		in.top, err = sys.OpenFolder(base)
	}
	if err != nil {
		return err
	}
	defer in.top.Close()
	in.refused = map[string]bool{}
	if err := in.above(filepath.Dir(conf.Home())); err != nil {
		return err
	}
	for _, e := range entries {
		if err := in.at(e, in.make); err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(entries) {
		if e.Kind == hier.File {
			continue
		}
		if err := in.at(e, in.give); err != nil {
			return err
		}
	}
	if len(in.unsafe) > 0 {
		return errors.New(strings.Join(in.unsafe, "\n"+fatal))
	}
	return nil
}

// above makes the folders above HOME.
func (in *installer) above(folder string) error {
	if folder == "/" || folder == "." {
		return nil
	}
	if err := in.above(filepath.Dir(folder)); err != nil {
		return err
	}
	parent, err := in.top.Walk(filepath.Dir(folder), "")
	if err != nil {
		return err
	}
	defer parent.Close()
	return unlessExist(parent.Mkdir(filepath.Base(folder), 0o755))
}

func unlessExist(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// at does something with an entry, in the folder that it is in.
func (in *installer) at(e hier.Entry, fn func(parent *sys.Folder, name string, e hier.Entry) error) error {
	folder, rest := e.Folder()
	name := path.Base(e.Path)
	if e.Path == "." {
		folder, name = "..", path.Base(conf.Home())
	}
	parent, err := in.top.Walk(path.Join(conf.Home(), folder), rest)
	if err == nil {
		err = fn(parent, name, e)
		parent.Close()
	}
	if u, ok := errors.AsType[*sys.UnsafeError](err); ok {
		if !in.refused[u.Path] {
			in.refused[u.Path] = true
			in.unsafe = append(in.unsafe, u.Error())
		}
		return nil
	}
	return err
}

// make makes what is missing.
func (in *installer) make(parent *sys.Folder, name string, e hier.Entry) error {
	if e.Kind == hier.File {
		return in.file(parent, name, e)
	}
	_, err := parent.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		switch e.Kind {
		case hier.Dir:
			err = parent.Mkdir(name, 0o700)
		case hier.Pipe:
			err = parent.Mkfifo(name, 0o600)
		default:
			err = in.data(parent, name, e)
		}
	}
	if err == nil && e.Owner == conf.UserNames().Root {
		err = in.give(parent, name, e)
	}
	return err
}

// data makes a file that qmail keeps.
func (in *installer) data(parent *sys.Folder, name string, e hier.Entry) error {
	f, err := parent.Create(name, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, e.Size))
	uid, gid := in.owner(e)
	return errors.Join(err, f.Chown(uid, gid), f.Close())
}

// give gives an entry its owner and mode.
func (in *installer) give(parent *sys.Folder, name string, e hier.Entry) error {
	uid, gid := in.owner(e)
	if e.Kind == hier.Dir {
		d, err := parent.Sub(name)
		if err != nil {
			return err
		}
		defer d.Close()
		return d.GiveItself(uid, gid, in.mode(e))
	}
	st, err := parent.Lstat(name)
	if err != nil {
		return err
	}
	if t := st.Mode.Type(); t != fs.ModeSymlink && t != e.Kind.Type() {
		return &sys.UnsafeError{Path: filepath.Join(in.dest, conf.Home(), e.Path), Why: "is not what it should be"}
	}
	return parent.Give(name, uid, gid, in.mode(e))
}

func (in *installer) owner(e hier.Entry) (uid, gid int) {
	if in.accounts == nil {
		return -1, -1
	}
	return in.accounts.UIDs[e.Owner], in.accounts.GIDs[e.Group]
}

// mode is the mode of an entry. A file that is not given to its owner is not made set-uid either: the wrong user's
// power would be in it.
func (in *installer) mode(e hier.Entry) fs.FileMode {
	if in.accounts == nil {
		return e.Mode &^ (fs.ModeSetuid | fs.ModeSetgid)
	}
	return e.Mode
}

// file puts a file of the suite into place: complete and with its owner before it has its name, so that a program that
// starts meanwhile finds the old file or the new one.
func (in *installer) file(parent *sys.Folder, name string, e hier.Entry) error {
	st, err := parent.Lstat(name)
	switch {
	case err == nil && st.Mode.Type() == fs.ModeSymlink && parent.Safe():
		in.notice(filepath.Join(in.dest, conf.Home(), e.Path) + " is a symbolic link: left as it is")
		return nil
	case in.packaged && errors.Is(err, fs.ErrNotExist):
		return nil // dpkg was told to leave it out
	case in.packaged:
		return in.give(parent, name, e)
	}
	text, err := os.ReadFile(filepath.Join(in.source, e.From))
	if err != nil {
		return err
	}
	if e.Fill {
		text = bytes.ReplaceAll(text, []byte("@QMAIL@"), []byte(conf.Home()))
	}
	if in.same(parent, name, e, text) {
		return nil
	}
	return in.replace(parent, name, e, text)
}

// same reports whether a file is what it should be.
func (in *installer) same(parent *sys.Folder, name string, e hier.Entry, text []byte) bool {
	f, st, err := parent.Hold(name, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	uid, gid := in.owner(e)
	if st.Mode != in.mode(e) || st.Size != int64(len(text)) || uid >= 0 && (st.UID != uid || st.GID != gid) {
		return false
	}
	old, err := io.ReadAll(io.LimitReader(f, int64(len(text))))
	return err == nil && bytes.Equal(old, text)
}

func (in *installer) replace(parent *sys.Folder, name string, e hier.Entry, text []byte) error {
	temporary := "." + name + ".new"
	if err := parent.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := parent.Create(temporary, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	uid, gid := in.owner(e)
	err = errors.Join(err, f.Chown(uid, gid), f.Chmod(in.mode(e)), f.Sync(), f.Close())
	if err == nil {
		err = parent.Rename(temporary, parent, name)
	}
	if err != nil {
		parent.Remove(temporary)
		return fmt.Errorf("%s: %w", e.Path, err)
	}
	return nil
}
