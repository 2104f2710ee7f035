package sys

import (
	"io/fs"
	"os"
	"strconv"

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

// NotDumpable forbids other processes of this user to look into this one: no core dump, no
// ptrace, no reading of its memory or descriptors through /proc.
func NotDumpable() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// syncFilesystem makes everything durable that is on the filesystem of f.
func syncFilesystem(f *os.File) error { return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))) }
