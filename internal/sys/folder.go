package sys

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Folder is a folder held open, for programs of root that work where others may change names. Everything in it is
// reached from what is held, one name at a time, and no symbolic link is followed but one that only root can have
// put there. So nobody can lead its user out of it, at whatever moment he acts.
type Folder struct {
	f     *os.File
	path  string
	safe  bool
	plain bool // no link in it is followed, whoever made it
}

// An UnsafeError says what stands where another user may have put it. It was not followed, opened or given away.
type UnsafeError struct{ Path, Why string }

func (e *UnsafeError) Error() string { return e.Path + ": " + e.Why }

// maxLinks is how many links one name may lead through, as in the kernel.
const maxLinks = 40

// OpenFolder opens the folder from which others are reached. Its own path is the caller's word, links in it included.
func OpenFolder(path string) (*Folder, error) {
	f, err := Open(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return newFolder(f, path, true, false)
}

// newFolder holds what f has open. A folder is safe when nobody but root, or whoever we are, may change names in it or
// in a folder above it; above says that of those.
func newFolder(f *os.File, path string, above, plain bool) (*Folder, error) {
	d := &Folder{f: f, path: path, plain: plain}
	st, err := d.Status()
	if err != nil {
		f.Close()
		return nil, err
	}
	d.safe = above && st.ours() && st.closed()
	return d, nil
}

// Close gives the folder up.
func (d *Folder) Close() error { return d.f.Close() }

// Safe reports whether only root, or whoever we are, may change names in this folder and in those above it.
func (d *Folder) Safe() bool { return d.safe }

// Sub opens a folder in this one.
func (d *Folder) Sub(name string) (*Folder, error) { return d.sub(name, maxLinks) }

func (d *Folder) sub(name string, links int) (*Folder, error) {
	f, err := d.openAt(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err == nil {
		return newFolder(f, d.join(name), d.safe, d.plain)
	}
	st, e := d.Lstat(name)
	switch {
	case e != nil || st.Mode.IsDir():
		return nil, err
	case st.Mode.Type() != fs.ModeSymlink:
		return nil, d.unsafe(name, "is not a folder")
	case d.plain || !d.safe || !st.ours():
		return nil, d.linked(name, st)
	case links == 0:
		return nil, d.failed("open", name, unix.ELOOP)
	}
	return d.follow(name, links-1)
}

// follow opens the folder that a link leads to.
func (d *Folder) follow(name string, links int) (*Folder, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(d.fd(), name, b)
	if err != nil {
		return nil, d.failed("readlink", name, err)
	}
	from := d
	if n > 0 && b[0] == '/' {
		if from, err = OpenFolder("/"); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	to, err := from.walk(string(b[:n]), links)
	if err == nil {
		to.path = d.join(name)
	}
	return to, err
}

// Walk opens a folder below this one, name by name, and from there the folder rest, unless that is empty: in rest and
// below it no link is followed, whoever made it.
func (d *Folder) Walk(path, rest string) (*Folder, error) {
	at, err := d.walk(path, maxLinks)
	if err != nil || rest == "" {
		return at, err
	}
	defer at.Close()
	at.plain = true
	return at.walk(rest, 0)
}

func (d *Folder) walk(path string, links int) (*Folder, error) {
	at, err := d.sub(".", 0)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil {
			return nil, err
		}
		if name == "" || name == "." {
			continue
		}
		if name == ".." && !at.safe {
			at.Close()
			return nil, &UnsafeError{at.path, "another user may have moved it: what is above it is not looked at"}
		}
		last := at
		at, err = last.sub(name, links)
		last.Close()
	}
	return at, err
}

// Lstat returns what a name is, a link or not.
func (d *Folder) Lstat(name string) (Status, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return Status{}, d.failed("lstat", name, err)
	}
	return status(&st), nil
}

// Status returns what is known of the folder itself.
func (d *Folder) Status() (Status, error) { return StatusOf(d.f) }

// Hold opens a file, a folder or a FIFO, to look at what is held and to change it. It never waits, and opens nothing
// else: a device may act when it is opened. A file that is opened for writing has no other name, unless the folder is
// safe.
func (d *Folder) Hold(name string, flag int) (*os.File, Status, error) {
	st, err := d.Lstat(name)
	if err == nil {
		err = d.opens(name, st, flag)
	}
	if err != nil {
		return nil, Status{}, err
	}
	f, err := d.openAt(name, flag|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Status{}, err
	}
	st, err = StatusOf(f)
	if err == nil {
		err = d.opens(name, st, flag)
	}
	if err != nil {
		f.Close()
		return nil, Status{}, err
	}
	return f, st, nil
}

// opens returns why a file is not opened, or nil.
func (d *Folder) opens(name string, st Status, flag int) error {
	switch st.Mode.Type() {
	case 0:
		if flag&(os.O_WRONLY|os.O_RDWR) != 0 && st.Links > 1 && !d.safe {
			return d.unsafe(name, "has "+strconv.FormatUint(st.Links, 10)+" links")
		}
		return nil
	case fs.ModeDir, fs.ModeNamedPipe:
		return nil
	case fs.ModeSymlink:
		return d.linked(name, st)
	}
	return d.unsafe(name, "is a device or a socket")
}

// Give gives a file, folder or FIFO its owner, group and mode; a negative owner or group is any. It is opened, looked
// at, and then changed through what is open.
func (d *Folder) Give(name string, uid, gid int, mode fs.FileMode) error {
	f, st, err := d.Hold(name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	if st.given(uid, gid) && st.Mode&^fs.ModeType == mode {
		return nil
	}
	if why := d.Foreign(st, uid); why != "" {
		return d.unsafe(name, why)
	}
	return give(f, st, uid, gid, mode)
}

// GiveItself is Give for the folder.
func (d *Folder) GiveItself(uid, gid int, mode fs.FileMode) error {
	st, err := d.Status()
	if err != nil {
		return err
	}
	return give(d.f, st, uid, gid, mode)
}

// give changes what f, of which st tells, has open. The owner comes first: to change it takes a set-uid bit away.
func give(f *os.File, st Status, uid, gid int, mode fs.FileMode) error {
	given := st.given(uid, gid)
	if !given {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if given && st.Mode&^fs.ModeType == mode {
		return nil
	}
	return f.Chmod(mode)
}

// Foreign returns why what is in this folder must not be given to uid, or "": somebody may have linked it here who had
// no right to what is in it. What the folder's owner owns is his to lose. A folder cannot be linked, and to move one
// here takes the right to write in it. A FIFO without another name is of no use to anybody elsewhere.
func (d *Folder) Foreign(st Status, uid int) string {
	if d.safe || st.Mode.IsDir() || st.Mode.Type() == fs.ModeNamedPipe && st.Links == 1 {
		return ""
	}
	own, err := d.Status()
	switch {
	case err == nil && own.UID == st.UID && own.closed():
		return ""
	case st.UID != uid && uid >= 0:
		return "has owner " + strconv.Itoa(st.UID) + ", in a folder that others may change"
	case st.Links > 1:
		return "has " + strconv.FormatUint(st.Links, 10) + " links, in a folder that others may change"
	}
	return ""
}

func (d *Folder) openAt(name string, flag int, mode fs.FileMode) (*os.File, error) {
	fd, err := openAt(d.fd(), name, flag|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, d.failed("open", name, err)
	}
	return os.NewFile(uintptr(fd), d.join(name)), nil
}

func (d *Folder) fd() int { return int(d.f.Fd()) }

func (d *Folder) join(name string) string { return filepath.Join(d.path, name) }

func (d *Folder) failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.join(name), Err: err}
}

func (d *Folder) unsafe(name, why string) error { return &UnsafeError{d.join(name), why} }

func (d *Folder) linked(name string, st Status) error {
	return d.unsafe(name, LinkOf(st.UID))
}

// LinkOf says that there is a link of uid where none is followed.
func LinkOf(uid int) string {
	return "is a symbolic link of uid " + strconv.Itoa(uid) + ": not followed"
}
