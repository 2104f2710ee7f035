package sys

import (
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Status is what is known of a file.
type Status struct {
	Mode     fs.FileMode
	UID, GID int
	Links    uint64
	Size     int64
	ModTime  time.Time
	Dev, Ino uint64
}

// StatusOf returns what is known of an open file.
func StatusOf(f *os.File) (Status, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return Status{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return status(&st), nil
}

func status(st *unix.Stat_t) Status {
	return Status{
		Mode: mode(uint32(st.Mode)), UID: int(st.Uid), GID: int(st.Gid), Links: uint64(st.Nlink), Size: st.Size,
		ModTime: time.Unix(st.Mtim.Unix()), Dev: uint64(st.Dev), Ino: uint64(st.Ino),
	}
}

func mode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	switch bits & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	default:
		m |= fs.ModeDevice
	}
	for bit, is := range [...]fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if bits&(unix.S_ISVTX<<bit) != 0 {
			m |= is
		}
	}
	return m
}

// Same reports whether both are of one file.
func (s Status) Same(o Status) bool { return s.Dev == o.Dev && s.Ino == o.Ino }

// given reports whether it has this owner and group; a negative number is any.
func (s Status) given(uid, gid int) bool {
	return (uid < 0 || s.UID == uid) && (gid < 0 || s.GID == gid)
}

// ours reports whether only root, or whoever we are, can have made this.
func (s Status) ours() bool { return s.UID == 0 || s.UID == os.Geteuid() }

// closed reports whether only the owner may write.
func (s Status) closed() bool { return s.Mode&0o022 == 0 }

// SetTime sets the times of an open file.
func SetTime(f *os.File, t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	return os.NewSyscallError("futimes", unix.Futimes(int(f.Fd()), []unix.Timeval{tv, tv}))
}
