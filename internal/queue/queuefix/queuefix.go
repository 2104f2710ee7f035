// Package queuefix finds what is wrong with a queue and puts it right. Nothing is ever deleted: what cannot stay is
// set aside below the queue's folder Lost. Messages move by links: all names of the new place are made and synced
// before the first old one goes, so whatever ends the repair leaves a message whole in one place or in both.
//
// No qmail-send may run. New mail may come in: its files are named by their inode numbers, so nothing here has a
// use for their names, and a message without envelope is left alone.
package queuefix

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/sys"
)

// Lost is the folder of the queue where things are set aside.
const Lost = "lost+queue"

// A Site is a queue and whose it has to be.
type Site struct {
	Dir        string         // the queue
	UIDs, GIDs map[string]int // by the names of conf-users and conf-groups
	Now        time.Time
}

// ErrRunning says that a qmail-send works on this queue.
var ErrRunning = errors.New("qmail-send is running")

// errStays says that a repair did not have the effect that it should have had.
var errStays = errors.New("some faults remain after the repair")

// rounds bounds how often the queue is gone through: one repair may bring another fault to light.
const rounds = 8

// A fixer goes through one queue.
type fixer struct {
	Site
	disk   *disk
	out    io.Writer
	mend   bool // else only say what is wrong
	faults int  // said in this round
	again  bool // something has to wait for the next round
	err    error

	uid   map[string]int // owner of a message's file, by folder
	mode  map[string]fs.FileMode
	moves []move
	aside map[string]bool // names in Lost that are taken by this round
	later []folder        // they get their owners when what is in them was looked at: those say whose that was
}

// A folder is one that is to be given to its owner.
type folder struct {
	name string
	give func() error
}

// Run goes through the queue and tells out of each fault, a line each; with mend they are repaired.
// It returns how many there were; an error means that it could not go on, or that faults remain.
func Run(s Site, mend bool, out io.Writer) (faults int, err error) {
	top, err := sys.OpenFolder(s.Dir)
	if err != nil {
		return 0, err
	}
	defer top.Close()
	f := &fixer{Site: s, disk: &disk{top: top}, out: out, mend: mend}
	return f.run()
}

func (f *fixer) run() (faults int, err error) {
	f.rules()
	lock, err := f.lock()
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	faults = f.faults
	for range rounds {
		f.faults, f.again, f.moves, f.aside = 0, false, nil, map[string]bool{}
		f.lostFolder()
		f.layout()
		f.messages()
		f.giveFolders()
		faults += f.faults
		if f.err != nil || !f.mend || f.faults == 0 && !f.again {
			return faults, f.err
		}
	}
	return faults, errStays
}

// lock keeps qmail-send away. Without lock/sendmutex there is nothing to lock; then somebody who listens at the
// trigger can only be a qmail-send.
func (f *fixer) lock() (io.Closer, error) {
	if f.mend {
		f.lockFolder()
		if f.err != nil {
			return nil, f.err
		}
	}
	m, st, err := f.disk.open(sendMutex, os.O_RDONLY)
	if err == nil && st.Mode.IsRegular() {
		if err = sys.TryLock(m); errors.Is(err, sys.ErrLocked) {
			err = ErrRunning
		}
		return m, err
	}
	if t, st, err := f.disk.open(trigger, os.O_WRONLY); err == nil {
		t.Close()
		if st.Mode.Type() == fs.ModeNamedPipe {
			return nil, ErrRunning
		}
	}
	return io.NopCloser(nil), nil
}

// rules notes how the files of messages have to be. Their group is that of whoever sent the message.
func (f *fixer) rules() {
	u := conf.UserNames()
	f.uid = map[string]int{}
	f.mode = map[string]fs.FileMode{}
	for _, k := range kinds() {
		switch k {
		case "mess", "todo", "intd":
			f.uid[k], f.mode[k] = f.UIDs[u.Queue], 0o644
		default:
			f.uid[k], f.mode[k] = f.UIDs[u.Send], 0o600
		}
	}
}

// fault says what is wrong with a name.
func (f *fixer) fault(name, text string) {
	f.faults++
	if _, err := io.WriteString(f.out, Printable(name+": "+text)+"\n"); err != nil {
		f.fail(err)
	}
}

// do does a part of a repair, unless this is a dry run or something went wrong before.
func (f *fixer) do(fn func() error) {
	if f.mend && f.err == nil {
		f.fail(fn())
	}
}

// fail notes the first error; nothing is done after it.
func (f *fixer) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// setAside takes a name that belongs to no message out of the way.
func (f *fixer) setAside(name, text string) {
	to := f.room("strays", flat(name))
	f.fault(name, text+"; set aside as "+to)
	f.do(func() error {
		if err := f.rename(name, to); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // it is gone by itself
	})
}

// lostFolder takes what another user has made as Lost out of the way: what is set aside is root's.
func (f *fixer) lostFolder() {
	st, err := f.disk.lstat(Lost)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	root := f.UIDs[conf.UserNames().Root]
	switch {
	case err != nil:
		f.fail(err)
	case !st.Mode.IsDir() || st.UID != root:
		to := f.free(Lost + ".")
		f.fault(Lost, "was made by uid "+strconv.Itoa(st.UID)+"; becomes "+to)
		f.do(func() error { return f.rename(Lost, to) })
	case st.Mode.Perm() != 0o700:
		f.owned(Lost, st, root, anyGroup, 0o700)
	}
}

// free returns a name that begins so and is not there.
func (f *fixer) free(begin string) string {
	for n := 1; ; n++ {
		name := begin + strconv.Itoa(n)
		if _, err := f.disk.lstat(name); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				f.fail(err)
			}
			return name
		}
	}
}

func (f *fixer) rename(from, to string) error {
	if err := f.folders(to); err != nil {
		return err
	}
	if err := f.disk.rename(from, to); err != nil {
		return err
	}
	return errors.Join(f.disk.sync(parent(to)), f.disk.sync(parent(from)))
}

// room returns a name below Lost that is free: NAME, or with .1, .2 and so on.
func (f *fixer) room(folder, name string) string {
	for n := 0; ; n++ {
		to := Lost
		if folder != "" {
			to += "/" + folder
		}
		to += "/" + name
		if n > 0 {
			to += "." + strconv.Itoa(n)
		}
		if f.aside[to] {
			continue
		}
		if _, err := f.disk.lstat(to); errors.Is(err, fs.ErrNotExist) {
			f.aside[to] = true
			return to
		} else if err != nil && !isUnsafe(err) {
			f.fail(err)
			return to
		}
	}
}

// folders makes the folders of name, which nobody but root may enter below Lost.
func (f *fixer) folders(name string) error {
	dir := parent(name)
	if dir == "." {
		return nil
	}
	st, err := f.disk.lstat(dir)
	if err == nil && st.Mode.IsDir() {
		return nil
	}
	if err := f.folders(dir); err != nil {
		return err
	}
	if err := unlessExist(f.disk.mkdir(dir)); err != nil {
		return err
	}
	return f.disk.sync(parent(dir))
}

// names returns what is in a folder. That there is none has been said already in a dry run.
func (f *fixer) names(folder string) []string {
	names, err := f.disk.names(folder)
	if err != nil {
		f.fail(err)
	}
	return names
}

// giveFolders gives folders their owners.
func (f *fixer) giveFolders() {
	for _, dir := range f.later {
		f.do(dir.give)
	}
	f.later = nil
}
