package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

// An installer makes entries of the tree.
type installer struct {
	source   string
	dest     string           // before every path; empty: the machine itself
	accounts *passwd.Accounts // nil: nothing is given away
	notice   func(string)
}

func (in *installer) entry(e hier.Entry) error {
	path := filepath.Join(in.dest, conf.Home(), e.Path)
	switch e.Kind {
	case hier.Dir:
		return in.dir(path, e)
	case hier.File:
		return in.file(path, e)
	case hier.Pipe:
		return in.kept(path, e, fs.ModeNamedPipe, func() error { return sys.Mkfifo(path, 0o600) })
	default:
		return in.kept(path, e, 0, func() error { return os.WriteFile(path, make([]byte, e.Size), 0o600) })
	}
}

func (in *installer) dir(path string, e hier.Entry) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Stat(path) // a folder may be elsewhere, behind a symbolic link
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s: not a directory", path)
	}
	return in.own(path, fi, e)
}

// kept makes a file that qmail keeps, once.
func (in *installer) kept(path string, e hier.Entry, kind fs.FileMode, create func() error) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(); err == nil {
			fi, err = os.Lstat(path)
		}
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != kind {
		return fmt.Errorf("%s: exists and is not what it should be", path)
	}
	return in.own(path, fi, e)
}

// own gives path, of which fi tells, its owner and mode. The owner comes first: chown takes the set-uid bit away.
func (in *installer) own(path string, fi fs.FileInfo, e hier.Entry) error {
	if in.accounts != nil {
		uid, gid := in.accounts.UIDs[e.Owner], in.accounts.GIDs[e.Group]
		if u, g := sys.Owner(fi); u != uid || g != gid {
			if err := os.Chown(path, uid, gid); err != nil {
				return err
			}
			var err error
			if fi, err = os.Stat(path); err != nil {
				return err
			}
		}
	}
	if mode := in.mode(e); fi.Mode()&^fs.ModeType != mode {
		return os.Chmod(path, mode)
	}
	return nil
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
func (in *installer) file(path string, e hier.Entry) error {
	from := filepath.Join(in.source, e.From)
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if e.Fill {
		text = bytes.ReplaceAll(text, []byte("@QMAIL@"), []byte(conf.Home()))
	}
	fi, err := os.Lstat(path)
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		in.notice(path + " is a symbolic link: left as it is")
		return nil
	}
	if err == nil && fi.Mode().IsRegular() && fi.Size() == int64(len(text)) {
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			return in.own(path, fi, e)
		}
	}
	t, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)),
		renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer t.Cleanup()
	if _, err := t.Write(text); err != nil {
		return err
	}
	if in.accounts != nil {
		if err := t.Chown(in.accounts.UIDs[e.Owner], in.accounts.GIDs[e.Group]); err != nil {
			return err
		}
	}
	if err := t.Chmod(in.mode(e)); err != nil {
		return err
	}
	return t.CloseAtomicallyReplace()
}
