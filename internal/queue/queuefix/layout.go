package queuefix

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"qmail/internal/site/hier"
	"qmail/internal/sys"
)

// layout checks the folders and what is in lock.
func (f *fixer) layout() {
	known := map[string]bool{Lost: true}
	for _, e := range hier.Queue() {
		name := within(e)
		known[name] = true
		f.entry(name, e)
	}
	for _, dir := range []string{".", "lock", "sendctl"} {
		for _, n := range f.names(dir) {
			name := n
			if dir != "." {
				name = dir + "/" + n
			}
			if !known[name] && !f.others(name) {
				f.setAside(name, "does not belong here")
			}
		}
	}
}

// others reports whether a name is what the filesystem or qmail-send has there besides.
func (f *fixer) others(name string) bool {
	want := map[string]fs.FileMode{"lost+found": fs.ModeDir, socket: fs.ModeSocket, reasons: 0}
	st, err := f.disk.lstat(name)
	kind, ok := want[name]
	return ok && err == nil && st.Mode.Type() == kind
}

// lockFolder repairs what the lock against qmail-send needs.
func (f *fixer) lockFolder() {
	f.aside = map[string]bool{}
	for _, e := range hier.Queue() {
		if n := within(e); n == "lock" || n == sendMutex {
			f.entry(n, e)
		}
	}
}

// within returns the name of an entry within the queue.
func within(e hier.Entry) string {
	if e.Path == "queue" {
		return "."
	}
	return strings.TrimPrefix(e.Path, "queue/")
}

// entry checks one name of the installed tree.
func (f *fixer) entry(name string, e hier.Entry) {
	if f.err != nil {
		return
	}
	uid, gid := f.UIDs[e.Owner], f.GIDs[e.Group]
	st, err := f.disk.lstat(name)
	if err == nil {
		why, e := f.misplaced(name, st, e)
		if err = e; why != "" {
			f.setAside(name, why)
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) || isUnsafe(err) { // or its folder is none
		f.fault(name, "is made anew")
		f.do(func() (err error) {
			if err := f.create(name, e, uid, gid); err != nil {
				return err
			}
			st, err = f.disk.lstat(name)
			return err
		})
		if f.mend && f.err == nil {
			f.quietly(func() { f.owned(name, st, uid, gid, e.Mode) })
		}
		return
	}
	if err != nil {
		f.fail(err)
		return
	}
	f.owned(name, st, uid, gid, e.Mode)
}

// misplaced returns why what has the name of an entry cannot stay, or "".
func (f *fixer) misplaced(name string, st sys.Status, e hier.Entry) (why string, err error) {
	uid, gid := f.UIDs[e.Owner], f.GIDs[e.Group]
	switch {
	case st.Mode.Type() == fs.ModeSymlink:
		return aLink, nil
	case st.Mode.Type() != e.Kind.Type():
		return "is of the wrong kind", nil
	case e.Kind == hier.Data && st.Size != int64(e.Size) && e.Size > 0:
		return fmt.Sprintf("has %d bytes, not %d", st.Size, e.Size), nil
	case st.UID == uid && st.GID == gid && st.Mode&^fs.ModeType == e.Mode:
		return "", nil
	}
	return f.disk.foreign(name, st, uid)
}

const aLink = "is a symbolic link"

// quietly runs a repair that is a part of another.
func (f *fixer) quietly(fn func()) {
	out, n := f.out, f.faults
	f.out = silence{}
	fn()
	f.out, f.faults = out, n
}

type silence struct{}

func (silence) Write(b []byte) (int, error) { return len(b), nil }

func (f *fixer) create(name string, e hier.Entry, uid, gid int) error {
	var err error
	switch e.Kind {
	case hier.Dir:
		err = f.disk.mkdir(name)
	case hier.Pipe:
		err = f.disk.mkfifo(name)
	default:
		err = f.disk.zeros(name, e.Size, uid, gid)
	}
	if err != nil {
		return err
	}
	return f.disk.sync(parent(name))
}

// anyGroup stands for a group that does not matter.
const anyGroup = -1

// owned checks owner, group and mode.
func (f *fixer) owned(name string, st sys.Status, uid, gid int, mode fs.FileMode) {
	if slices.ContainsFunc(f.later, func(dir folder) bool { return dir.name == name }) {
		return // it has been said
	}
	n := f.faults
	switch {
	case st.UID != uid:
		f.fault(name, fmt.Sprintf("has owner %d, not %d", st.UID, uid))
	case gid != anyGroup && st.GID != gid:
		f.fault(name, fmt.Sprintf("has group %d, not %d", st.GID, gid))
	}
	if have := st.Mode &^ fs.ModeType; have != mode {
		f.fault(name, fmt.Sprintf("has mode %04o, not %04o", hier.Entry{Mode: have}.Bits(), hier.Entry{Mode: mode}.Bits()))
	}
	if f.faults == n {
		return
	}
	give := func() error { return f.disk.give(name, uid, gid, mode) }
	if st.Mode.IsDir() {
		f.later = append(f.later, folder{name, give})
	} else {
		f.do(give)
	}
}
