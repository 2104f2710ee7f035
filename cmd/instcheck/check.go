package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

// check warns about each way in which an entry differs. An UnsafeError is another: it may be that of a folder above.
func check(top *sys.Folder, e hier.Entry, a passwd.Accounts, warn func(path, text string)) error {
	path := filepath.Join(conf.Home(), e.Path)
	st, linked, err := look(top, e)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		warn(path, "does not exist")
		return nil
	case err != nil:
		if _, ok := errors.AsType[*sys.UnsafeError](err); !ok {
			warn(path, "cannot be looked at: "+err.Error())
		}
		return err
	case st.Mode.Type() != e.Kind.Type():
		warn(path, "is of the wrong kind")
		return nil
	}
	if want, ok := a.UIDs[e.Owner]; ok && st.UID != want {
		warn(path, fmt.Sprintf("has owner %d, not %s (%d)", st.UID, e.Owner, want))
	}
	if want, ok := a.GIDs[e.Group]; ok && st.GID != want {
		warn(path, fmt.Sprintf("has group %d, not %s (%d)", st.GID, e.Group, want))
	}
	if mode := st.Mode &^ fs.ModeType; mode != e.Mode {
		warn(path, fmt.Sprintf("has mode %04o, not %04o", hier.Entry{Mode: mode}.Bits(), e.Bits()))
	}
	if linked {
		warn(path, fmt.Sprintf("has %d links", st.Links))
	}
	return nil
}

// look returns what an entry is. A folder may be elsewhere, behind a link that only root can have made. Linked says of
// a file that another user may have made one of several names of it.
func look(top *sys.Folder, e hier.Entry) (st sys.Status, linked bool, err error) {
	folder, rest := e.Folder()
	d, err := top.Walk(filepath.Join(conf.Home(), folder), rest)
	if err != nil {
		return st, false, err
	}
	defer d.Close()
	name := filepath.Base(e.Path)
	if e.Kind == hier.Dir {
		is, err := d.Sub(name)
		if err != nil {
			return st, false, err
		}
		defer is.Close()
		st, err = is.Status()
		return st, false, err
	}
	st, err = d.Lstat(name)
	if err == nil && st.Mode.Type() == fs.ModeSymlink && !d.Safe() {
		err = &sys.UnsafeError{Path: filepath.Join(conf.Home(), e.Path), Why: sys.LinkOf(st.UID)}
	}
	return st, st.Links > 1 && !d.Safe(), err
}
