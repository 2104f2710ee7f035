package queuefix

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"qmail/internal/sys"
)

// A disk is the queue as its repair sees it: nothing outside of it can be touched, whatever links are in it. All
// that changes something goes through its methods.
type disk struct {
	root *os.Root
	dir  string
	step func() error // called before each change, which an error prevents; nil: nothing is called
}

func (d *disk) change(fn func() error) error {
	if d.step != nil {
		if err := d.step(); err != nil {
			return err
		}
	}
	return fn()
}

func (d *disk) lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }
func (d *disk) stat(name string) (fs.FileInfo, error)  { return d.root.Stat(name) }
func (d *disk) open(name string) (*os.File, error)     { return d.root.Open(name) }

func (d *disk) link(from, to string) error {
	return d.change(func() error { return d.root.Link(from, to) })
}

func (d *disk) rename(from, to string) error {
	return d.change(func() error { return d.root.Rename(from, to) })
}

func (d *disk) remove(name string) error {
	return d.change(func() error { return d.root.Remove(name) })
}

func (d *disk) mkdir(name string) error {
	return d.change(func() error { return d.root.Mkdir(name, 0o700) })
}

func (d *disk) mkdirAll(name string) error {
	return d.change(func() error { return d.root.MkdirAll(name, 0o700) })
}

func (d *disk) mkfifo(name string) error {
	return d.change(func() error { return sys.Mkfifo(d.dir+"/"+name, 0o600) })
}

func (d *disk) chown(name string, uid, gid int) error {
	return d.change(func() error { return d.root.Lchown(name, uid, gid) })
}

func (d *disk) chmod(name string, mode fs.FileMode) error {
	return d.change(func() error { return d.root.Chmod(name, mode) })
}

func (d *disk) setTime(name string, t time.Time) error {
	return d.change(func() error { return d.root.Chtimes(name, t, t) })
}

// zeros makes a file of zero bytes.
func (d *disk) zeros(name string, size int) error {
	return d.change(func() error {
		f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, size))
		return errors.Join(err, f.Sync(), f.Close())
	})
}

// sync makes the names of a folder durable.
func (d *disk) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
