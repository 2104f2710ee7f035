package sys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NamesFollow reports whether the filesystem of path is one where a name made before its
// file's fsync is durable with it: ext4, xfs and btrfs. On any other, folders are synced too.
func NamesFollow(path string) bool {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		return true
	}
	return false
}

// Ordered reports whether all these folders are on one filesystem whose journal brings changes to the disk in the
// order in which they were made, with what WriteOut wrote out before them: xfs, and ext4 with data=ordered and a
// journal of its own. statfs cannot tell such an ext4 from one without a journal, or with one on another device, so
// its name in /proc is asked. What cannot be found out is false.
func Ordered(folder string, more ...string) bool {
	var st unix.Statfs_t
	if unix.Statfs(folder, &st) != nil {
		return false
	}
	dev, err := device(folder)
	for _, f := range more {
		if d, e := device(f); e != nil || d != dev {
			return false
		}
	}
	switch {
	case err != nil:
		return false
	case uint32(st.Type) == unix.XFS_SUPER_MAGIC:
		return true
	}
	return uint32(st.Type) == unix.EXT4_SUPER_MAGIC && ext4Ordered(dev)
}

func device(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return uint64(st.Dev), err
}

// ext4Ordered reports whether the ext4 on block device dev has data=ordered (which excludes asynchronous commits) and
// its journal in the inode that mke2fs reserves for it.
func ext4Ordered(dev uint64) bool {
	const journalInode = "-8"
	link, err := os.Readlink("/sys/dev/block/" + strconv.Itoa(int(unix.Major(dev))) + ":" +
		strconv.Itoa(int(unix.Minor(dev))))
	if err != nil {
		return false
	}
	name := link[strings.LastIndexByte(link, '/')+1:]
	f, err := Open("/proc/fs/ext4/"+name+"/options", os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	options := make([]byte, 4096) // far more than there are
	n, _ := f.Read(options)
	var st unix.Stat_t
	return bytes.Contains(options[:n], []byte("\ndata=ordered\n")) &&
		unix.Stat("/proc/fs/jbd2/"+name+journalInode, &st) == nil
}

// StartOut starts to write out what was written to f and waits for nothing. ErrUnsupported: this cannot be done here.
func StartOut(f *os.File) error { return writeOut(f, unix.SYNC_FILE_RANGE_WRITE) }

// WriteOut writes out what was written to f and waits until the disk has it, in its cache perhaps. Where Ordered
// holds, no change made later is on disk after a crash without all that was written to f; nothing is durable yet.
// ErrUnsupported: this cannot be done here and nothing is known of f. After any other error, as after one of a
// sync, the data may be lost.
func WriteOut(f *os.File) error {
	return writeOut(f, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
}

func writeOut(f *os.File, how int) error {
	switch err := again(func() error { return unix.SyncFileRange(int(f.Fd()), 0, 0, how) }); err {
	case nil:
		return nil
	case unix.ENOSYS, unix.EINVAL, unix.EPERM: // EPERM is a seccomp filter's
		return errors.ErrUnsupported
	default:
		return &fs.PathError{Op: "write out", Path: f.Name(), Err: err}
	}
}

// CreateUnnamed makes a file without a name in folder dir, open for reading and writing. An error means
// that the filesystem has no such files and the caller makes one with a name.
func CreateUnnamed(dir string, mode fs.FileMode) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode.Perm()))
	if err != nil {
		return nil, &fs.PathError{Op: "create unnamed", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// LinkUnnamed gives a file of CreateUnnamed a name. It needs /proc.
func LinkUnnamed(f *os.File, path string) error {
	from := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	if err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: f.Name(), New: path, Err: err}
	}
	return nil
}

func pipeRoom(f *os.File) int {
	n, err := unix.FcntlInt(f.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 0
	}
	return n
}

// NotDumpable forbids other processes of this user to look into this one: no core dump, no
// ptrace, no reading of its memory or descriptors through /proc.
func NotDumpable() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// syncFilesystem makes everything durable that is on the filesystem of f.
func syncFilesystem(f *os.File) error { return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))) }
