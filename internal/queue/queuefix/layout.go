package queuefix

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"qmail/internal/site/hier"
	"qmail/internal/sys"
)

// layout checks the folders and what is in lock.
func (f *fixer) layout() {
	known := map[string]bool{Lost: true, "lost+found": true, lockTCP6: true, "sendctl/socket": true}
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
			if !known[name] {
				f.setAside(name, "does not belong here")
			}
		}
	}
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
	look := f.disk.lstat
	if e.Kind == hier.Dir {
		look = f.disk.stat // a link to a folder will do
	}
	fi, err := look(name)
	switch {
	case errors.Is(err, errNotFolder): // its folder is none
		fi, err = nil, fs.ErrNotExist
	case err == nil && fi.Mode().Type() != kindOf(e.Kind):
		f.setAside(name, "is of the wrong kind")
		fi, err = nil, fs.ErrNotExist
	case err == nil && e.Kind == hier.Data && fi.Size() != int64(e.Size) && e.Size > 0:
		f.setAside(name, fmt.Sprintf("has %d bytes, not %d", fi.Size(), e.Size))
		fi, err = nil, fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.fault(name, "is made anew")
		f.do(func() error {
			if err := f.create(name, e); err != nil {
				return err
			}
			fi, err = look(name)
			return err
		})
		if !f.mend || f.err != nil {
			return
		}
		f.quietly(func() { f.owned(name, fi, f.UIDs[e.Owner], f.GIDs[e.Group], e.Mode) })
		return
	}
	if err != nil {
		f.fail(err)
		return
	}
	f.owned(name, fi, f.UIDs[e.Owner], f.GIDs[e.Group], e.Mode)
}

// quietly runs a repair that is a part of another.
func (f *fixer) quietly(fn func()) {
	out, n := f.out, f.faults
	f.out = silence{}
	fn()
	f.out, f.faults = out, n
}

type silence struct{}

func (silence) Write(b []byte) (int, error) { return len(b), nil }

func kindOf(k hier.Kind) fs.FileMode {
	switch k {
	case hier.Dir:
		return fs.ModeDir
	case hier.Pipe:
		return fs.ModeNamedPipe
	}
	return 0
}

func (f *fixer) create(name string, e hier.Entry) error {
	var err error
	switch e.Kind {
	case hier.Dir:
		err = f.disk.mkdir(name)
	case hier.Pipe:
		err = f.disk.mkfifo(name)
	default:
		err = f.disk.zeros(name, e.Size)
	}
	if err != nil {
		return err
	}
	return f.disk.sync(parent(name))
}

// anyGroup stands for a group that does not matter.
const anyGroup = -1

// owned checks owner, group and mode. The owner comes first: to change it takes away a set-uid bit.
func (f *fixer) owned(name string, fi fs.FileInfo, uid, gid int, mode fs.FileMode) {
	haveUID, haveGID := sys.Owner(fi)
	if haveUID != uid || gid != anyGroup && haveGID != gid {
		text := fmt.Sprintf("has owner %d, not %d", haveUID, uid)
		if haveUID == uid {
			text = fmt.Sprintf("has group %d, not %d", haveGID, gid)
		}
		f.fault(name, text)
		f.do(func() error { return f.disk.chown(name, uid, gid) })
	}
	if have := fi.Mode() &^ fs.ModeType; have != mode&^fs.ModeType {
		f.fault(name, fmt.Sprintf("has mode %04o, not %04o", hier.Entry{Mode: have}.Bits(), hier.Entry{Mode: mode}.Bits()))
		f.do(func() error { return f.disk.chmod(name, mode&^fs.ModeType) })
	}
}
