package queuefix

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"qmail/internal/sys"
)

// A disk is the queue as its repair sees it: nothing outside of it can be touched, whatever links are in it, and
// whoever changes its names meanwhile. All that changes something goes through its methods.
type disk struct {
	top  *sys.Folder
	step func() error // called before each change, which an error prevents; nil: nothing is called
}

// in calls fn with the folder that a name is in.
func (d *disk) in(name string, fn func(folder *sys.Folder, name string) error) error {
	folder, err := d.top.Walk("", parent(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	return fn(folder, path.Base(name))
}

// change is in for what changes something.
func (d *disk) change(name string, fn func(folder *sys.Folder, name string) error) error {
	if d.step != nil {
		if err := d.step(); err != nil {
			return err
		}
	}
	return d.in(name, fn)
}

func (d *disk) lstat(name string) (st sys.Status, err error) {
	err = d.in(name, func(folder *sys.Folder, name string) error {
		st, err = folder.Lstat(name)
		return err
	})
	return st, err
}

// open opens a file, a folder or a FIFO and never waits.
func (d *disk) open(name string, flag int) (f *os.File, st sys.Status, err error) {
	err = d.in(name, func(folder *sys.Folder, name string) error {
		f, st, err = folder.Hold(name, flag)
		return err
	})
	return f, st, err
}

// names returns what is in a folder; nothing, if it is none.
func (d *disk) names(folder string) ([]string, error) {
	f, err := d.top.Walk("", folder)
	if errors.Is(err, fs.ErrNotExist) || isUnsafe(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Names()
}

// foreign returns why a file must not be given to uid, or "".
func (d *disk) foreign(name string, st sys.Status, uid int) (why string, err error) {
	err = d.in(name, func(folder *sys.Folder, _ string) error {
		why = folder.Foreign(st, uid)
		return nil
	})
	return why, err
}

// both is change for a name that something gets from another.
func (d *disk) both(from, to string, fn func(f *sys.Folder, from string, t *sys.Folder, to string) error) error {
	return d.change(from, func(f *sys.Folder, from string) error {
		return d.in(to, func(t *sys.Folder, to string) error { return fn(f, from, t, to) })
	})
}

func (d *disk) link(from, to string) error { return d.both(from, to, (*sys.Folder).Link) }

func (d *disk) rename(from, to string) error { return d.both(from, to, (*sys.Folder).Rename) }

func (d *disk) remove(name string) error { return d.change(name, (*sys.Folder).Remove) }

func (d *disk) mkdir(name string) error {
	return d.change(name, func(f *sys.Folder, name string) error { return f.Mkdir(name, 0o700) })
}

func (d *disk) mkfifo(name string) error {
	return d.change(name, func(f *sys.Folder, name string) error { return f.Mkfifo(name, 0o600) })
}

func (d *disk) give(name string, uid, gid int, mode fs.FileMode) error {
	return d.change(name, func(f *sys.Folder, name string) error { return f.Give(name, uid, gid, mode) })
}

func (d *disk) setTime(name string, t time.Time) error {
	return d.change(name, func(folder *sys.Folder, name string) error {
		f, _, err := folder.Hold(name, os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(sys.SetTime(f, t), f.Close())
	})
}

// zeros makes a file of zero bytes, which belongs to uid and gid.
func (d *disk) zeros(name string, size, uid, gid int) error {
	return d.change(name, func(folder *sys.Folder, name string) error {
		f, err := folder.Create(name, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, size))
		return errors.Join(err, f.Chown(uid, gid), f.Sync(), f.Close())
	})
}

// sync makes the names of a folder durable.
func (d *disk) sync(folder string) error {
	f, err := d.top.Walk("", folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// isUnsafe reports whether something that is no folder stands in the way to a name.
func isUnsafe(err error) bool {
	_, ok := errors.AsType[*sys.UnsafeError](err)
	return ok
}
