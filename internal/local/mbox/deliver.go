package mbox

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qmail/internal/sys"
)

// lockWait is how long a delivery waits for the lock of an mbox.
const lockWait = 30 * time.Second

// A Step is what a delivery was doing when it failed.
type Step uint8

const (
	Opening Step = iota
	Locking      // the lock was not to be had in time
	Reading      // the message
	Writing
)

// An Error is a delivery that failed. The mbox is as it was.
type Error struct {
	Step Step
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Deliver adds a message to the end of the mbox at path, which it makes if it is not there. Head is what comes
// before the message's own text: the From line and the lines that the delivery adds. On success the message is on
// disk; an error is an *Error.
func Deliver(path, head string, message io.Reader) error {
	return deliver(path, head, message, lockWait)
}

func deliver(path, head string, message io.Reader, wait time.Duration) error {
	box, err := lock(path, time.Now().Add(wait))
	if err != nil {
		return err
	}
	defer box.f.Close()
	size, err := box.f.Seek(0, io.SeekEnd)
	if err != nil {
		box.locked = false
	}
	err = write(box.f, head, message)
	if err == nil {
		err = syncName(box.f, path, box.created)
	}
	if err == nil {
		return nil
	}
	if box.locked {
		box.f.Truncate(size)
	}
	if re := (*ReadError)(nil); errors.As(err, &re) {
		return &Error{Reading, re.Err}
	}
	return &Error{Writing, err}
}

// A box is an mbox open for a delivery.
type box struct {
	f       *os.File
	created bool
	locked  bool // else nothing can be undone
}

// Lock opens and locks the mbox at path, which it makes if it is not there, and waits as long as that takes. The lock
// lasts until the file is closed.
func Lock(path string) (*os.File, error) {
	for {
		f, _, err := open(path)
		if err != nil {
			return nil, err
		}
		if err := sys.Lock(f); err != nil || current(f, path) {
			return f, err
		}
		f.Close()
	}
}

// lock opens and locks the mbox. A program that moves mail may put a new file in the place of the mbox while we wait
// for the lock of the old one, and what is added to that one would be lost: then it begins again.
func lock(path string, end time.Time) (box, error) {
	for {
		f, created, err := open(path)
		if err != nil {
			return box{}, &Error{Opening, err}
		}
		err = lockBefore(f, end)
		if err == sys.ErrLocked {
			return box{}, &Error{Locking, err}
		}
		if err != nil { // a filesystem without locks, or a device
			return box{f, created, false}, nil
		}
		if current(f, path) {
			return box{f, created, true}, nil
		}
		f.Close()
	}
}

// lockBefore takes the lock of f. After ErrLocked f is not the caller's any more. It waits in a call of
// its own for the kernel's queue: who asks now and then comes too late when there are many.
func lockBefore(f *os.File, end time.Time) error {
	err := sys.TryLock(f)
	if err != sys.ErrLocked {
		return err
	}
	got := make(chan error, 1)
	go func() { got <- sys.Lock(f) }()
	late := time.NewTimer(time.Until(end))
	defer late.Stop()
	select {
	case err := <-got:
		return err
	case <-late.C:
		go func() { // f must stay open as long as the call lasts
			<-got
			f.Close()
		}()
		return sys.ErrLocked
	}
}

// current reports whether path is still the name of f.
func current(f *os.File, path string) bool {
	ours, err := f.Stat()
	if err != nil {
		return true
	}
	named, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return os.SameFile(ours, named)
}

// open opens an mbox for appending without ever waiting for a reader, should it be a FIFO, and without making a
// terminal ours: its user would be hung up when we end.
func open(path string) (f *os.File, created bool, err error) {
	const flag = os.O_WRONLY | os.O_APPEND | syscall.O_NONBLOCK | syscall.O_NOCTTY
	f, err = os.OpenFile(path, flag, 0)
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.OpenFile(path, flag|os.O_CREATE, 0o600)
		return f, true, err
	}
	return f, false, err
}

// write writes and syncs one message. After a failed sync nobody knows what is on disk, and a second one might
// succeed all the same: there is none.
func write(f *os.File, head string, message io.Reader) error {
	w := bufio.NewWriterSize(f, 32<<10)
	w.WriteString(head)
	if err := Copy(w, message); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// syncName makes the name of the mbox durable, where the sync of the file did not: the file is new, perhaps
// from another delivery whose process died before it came to this.
func syncName(f *os.File, path string, created bool) error {
	if !created && sys.NamesFollow(path) {
		return nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return sys.SyncDirOf(path, f)
}
