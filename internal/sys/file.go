// Package sys holds the system calls that the standard library does not offer. It is the
// only package that imports x/sys.
package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock takes an exclusive flock on f and waits for it as long as that takes.
func Lock(f *os.File) error { return flock(f, unix.LOCK_EX) }

// TryLock takes an exclusive flock on f, or returns ErrLocked at once.
func TryLock(f *os.File) error { return try(f, unix.LOCK_EX) }

// lockPause is between two looks at a lock that another has.
const lockPause = 2 * time.Millisecond

// LockWithin takes an exclusive flock on f, or returns ErrLocked when another process has held it for so long.
func LockWithin(f *os.File, patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		if err := TryLock(f); !errors.Is(err, ErrLocked) || time.Now().After(end) {
			return err
		}
	}
}

// TryShare takes a shared flock on f, which needs no right to write, or returns ErrLocked at once.
func TryShare(f *os.File) error { return try(f, unix.LOCK_SH) }

func try(f *os.File, how int) error {
	err := flock(f, how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Unlock gives up the flock on f.
func Unlock(f *os.File) error { return flock(f, unix.LOCK_UN) }

func flock(f *os.File, how int) error {
	return again(func() error { return unix.Flock(int(f.Fd()), how) })
}

// Mkfifo makes a FIFO.
func Mkfifo(path string, mode fs.FileMode) error {
	if err := unix.Mkfifo(path, uint32(mode.Perm())); err != nil {
		return &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return nil
}

// OpenNow opens a file without ever waiting, as a FIFO or a device would make us; flag is as for os.OpenFile. A
// terminal does not become ours.
// Reads and writes do not wait either, unless the runtime can poll the file.
func OpenNow(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

// Owner returns the uid and gid of a file.
func Owner(fi fs.FileInfo) (uid, gid int) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}

// Inode returns the device and inode number of a file.
func Inode(fi fs.FileInfo) (dev, ino uint64) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), uint64(st.Ino)
}

// SyncDir makes the names in a folder durable.
func SyncDir(path string) error {
	d, err := Open(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// SyncDirOf makes the name path durable, which is f's. A folder that may not be read cannot be synced by itself: then
// f's whole filesystem is.
func SyncDirOf(path string, f *os.File) error {
	err := SyncDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return syncFilesystem(f)
	}
	return err
}

// Times returns when the file at path, itself a link or not, was last read and written.
func Times(path string) (read, wrote time.Time, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return read, wrote, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return time.Unix(st.Atim.Unix()), time.Unix(st.Mtim.Unix()), nil
}

// Umask sets the file mode creation mask and returns the old one.
func Umask(mask int) int { return syscall.Umask(mask) }

// OpenedReadWrite reports whether descriptor fd is open for reading and writing.
func OpenedReadWrite(fd uintptr) bool {
	flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}

// Unlink removes a name that is not a folder's. Unlike os.Remove it never tries rmdir.
func Unlink(path string) error {
	if err := again(func() error { return unix.Unlink(path) }); err != nil {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}

// Quiet reports whether nothing waits to be read from a connection and its other end has not closed it.
func Quiet(c syscall.Conn) bool {
	rc, err := c.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	rc.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN
	})
	return quiet
}

// Open opens a file that is not going to be polled: unlike os.OpenFile it tells the runtime's poller nothing. flag is
// as there.
func Open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	fd, err := openAt(unix.AT_FDCWD, path, flag, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openAt is openat, without an end by a signal; what it opens is not for the programs that we start.
func openAt(dir int, name string, flag int, mode fs.FileMode) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(dir, name, flag|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	return fd, err
}

// again calls fn until no signal interrupts it.
func again(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}
