package sys

import (
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Names returns what is in the folder.
func (d *Folder) Names() ([]string, error) {
	if _, err := d.f.Seek(0, 0); err != nil {
		return nil, err
	}
	return d.f.Readdirnames(-1)
}

// EachName calls fn with the name of everything in the folder, however much that is, until fn returns false.
func (d *Folder) EachName(fn func(name string) bool) error {
	if _, err := d.f.Seek(0, 0); err != nil {
		return err
	}
	return EachName(d.f, fn)
}

// namesAtOnce bounds how many names of a folder are held.
const namesAtOnce = 1024

// EachName calls fn with the name of everything in an open folder, in parts, until fn returns false.
func EachName(folder *os.File, fn func(name string) bool) error {
	for {
		names, err := folder.Readdirnames(namesAtOnce)
		for _, n := range names {
			if !fn(n) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Sync makes the names in the folder durable.
func (d *Folder) Sync() error { return d.f.Sync() }

// Create makes a file that was not there.
func (d *Folder) Create(name string, mode fs.FileMode) (*os.File, error) {
	return d.openAt(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

// Mkdir makes a folder.
func (d *Folder) Mkdir(name string, mode fs.FileMode) error {
	return d.failed("mkdir", name, again(func() error { return unix.Mkdirat(d.fd(), name, uint32(mode.Perm())) }))
}

// Mkfifo makes a FIFO.
func (d *Folder) Mkfifo(name string, mode fs.FileMode) error {
	return d.failed("mkfifo", name, again(func() error { return d.mkfifo(name, uint32(mode.Perm())) }))
}

// Remove removes a name; of a folder, an empty one.
func (d *Folder) Remove(name string) error {
	err := again(func() error { return unix.Unlinkat(d.fd(), name, 0) })
	if st, e := d.Lstat(name); err != nil && e == nil && st.Mode.IsDir() {
		err = again(func() error { return unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR) })
	}
	return d.failed("remove", name, err)
}

// Link gives a file, which may itself be a link, a second name in another folder.
func (d *Folder) Link(name string, to *Folder, second string) error {
	return d.failed("link", name, again(func() error { return unix.Linkat(d.fd(), name, to.fd(), second, 0) }))
}

// Rename gives what has a name another, in another folder.
func (d *Folder) Rename(name string, to *Folder, other string) error {
	return d.failed("rename", name, again(func() error { return unix.Renameat(d.fd(), name, to.fd(), other) }))
}
