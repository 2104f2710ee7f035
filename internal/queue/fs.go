package queue

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"qmail/internal/sys"
)

// FS is the disk as the queue sees it: every operation on the queue's files goes through it, so that a
// model of a disk can record them and play them back. Names are relative to the queue folder.
type FS interface {
	// NamesFollow: here a name made before its file's Sync is durable with it.
	NamesFollow() bool
	// Ordered: here changes reach the disk in the order in which they were made, and none without all that WriteOut wrote
	// before it.
	Ordered() bool
	// StartOut starts to write out what was written to f. WriteOut does that and waits for it; it makes nothing
	// durable by itself. ErrUnsupported: f must be synced instead.
	StartOut(f File) error
	WriteOut(f File) error
	CreateUnnamed(folder string, mode fs.FileMode) (File, error)
	LinkUnnamed(f File, name string) error
	// Create makes a file that must not exist yet, for reading and writing.
	Create(name string, mode fs.FileMode) (File, error)
	// Open opens for reading, Update for writing in place. Append opens for appending and makes the file when there is
	// none.
	Open(name string) (File, error)
	Update(name string) (File, error)
	Append(name string, mode fs.FileMode) (File, error)
	Link(old, new string) error
	Remove(name string) error
	// Hold says that somebody is at work on f, until f is closed or its process dies. Held reports whether somebody is.
	Hold(f File) error
	Held(name string) (bool, error)
	Lstat(name string) (fs.FileInfo, error)
	// Accessed returns the time of last access.
	Accessed(name string) (time.Time, error)
	// SetTime sets the times of last access and change.
	SetTime(name string, t time.Time) error
	// EachName calls fn with the name of each entry of a folder until it returns false.
	EachName(folder string, fn func(name string) bool) error
	SyncFolder(folder string) error
}

// File is an open file of an FS.
type File interface {
	io.Reader
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// Disk returns the real filesystem below folder dir.
func Disk(dir string) FS {
	if dir == "." || dir == "" {
		return disk("")
	}
	return disk(dir + "/")
}

type disk string

func (d disk) at(name string) string { return string(d) + name }

func (d disk) NamesFollow() bool {
	// intd is no mount point of its own where mess or todo is not: links go between them.
	return sys.NamesFollow(d.at("."))
}

// Messages and envelopes could be on two filesystems, as no link goes between them. Then neither waits for the other's.
func (d disk) Ordered() bool { return sys.Ordered(d.at("mess"), d.at("intd"), d.at("todo")) }

func (d disk) StartOut(f File) error {
	if o, ok := f.(*os.File); ok {
		return sys.StartOut(o)
	}
	return errors.ErrUnsupported
}

func (d disk) WriteOut(f File) error {
	if o, ok := f.(*os.File); ok {
		return sys.WriteOut(o)
	}
	return errors.ErrUnsupported
}

func (d disk) CreateUnnamed(folder string, mode fs.FileMode) (File, error) {
	return file(sys.CreateUnnamed(d.at(folder), mode))
}

func (d disk) LinkUnnamed(f File, name string) error {
	o, ok := f.(*os.File)
	if !ok {
		return errors.ErrUnsupported
	}
	return sys.LinkUnnamed(o, d.at(name))
}

// Hold is a lock that the kernel lets go of with the process. Where there are none (some network filesystems),
// nothing is held.
func (d disk) Hold(f File) error {
	if o, ok := f.(*os.File); ok {
		return sys.TryLock(o)
	}
	return errors.ErrUnsupported
}

func (d disk) Held(name string) (bool, error) {
	f, err := sys.OpenNow(d.at(name), os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err = sys.TryShare(f); err == sys.ErrLocked {
		return true, nil
	}
	return false, err
}

func (d disk) Create(name string, mode fs.FileMode) (File, error) {
	return file(sys.Open(d.at(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode))
}

func (d disk) Open(name string) (File, error) { return d.regular(name, os.O_RDONLY, 0) }

func (d disk) Update(name string) (File, error) { return d.regular(name, os.O_WRONLY, 0) }

func (d disk) Append(name string, mode fs.FileMode) (File, error) {
	f, err := d.regular(name, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return file(sys.Open(d.at(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, mode))
	}
	return f, err
}

func (d disk) Link(old, new string) error             { return os.Link(d.at(old), d.at(new)) }
func (d disk) Remove(name string) error               { return sys.Unlink(d.at(name)) }
func (d disk) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(d.at(name)) }
func (d disk) SetTime(name string, t time.Time) error { return os.Chtimes(d.at(name), t, t) }
func (d disk) SyncFolder(folder string) error         { return sys.SyncDir(d.at(folder)) }
func (d disk) Accessed(name string) (time.Time, error) {
	read, _, err := sys.Times(d.at(name))
	return read, err
}

func (d disk) EachName(folder string, fn func(string) bool) error {
	f, err := sys.Open(d.at(folder), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return sys.EachName(f, fn)
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// regular opens what was there before us. Only a regular file will do: to open a FIFO could take for ever.
func (d disk) regular(name string, flag int, mode fs.FileMode) (File, error) {
	fi, err := d.Lstat(name)
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrDamaged}
	}
	if err != nil {
		return nil, err
	}
	return file(sys.Open(d.at(name), flag, mode))
}

// remove removes a file that may be gone already, and reports whether it was there.
func (q *Queue) remove(name string) (there bool, err error) {
	err = q.fs.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// there reports whether a name exists. Whatever but absence keeps us from knowing is an error.
func (q *Queue) there(name string) (bool, error) {
	_, err := q.fs.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
