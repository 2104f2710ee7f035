package cases

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

// A bed is the world that cases run in, one after another.
type bed struct {
	who      *accounts
	words    *words
	later    []substitution
	top      string // a temporary folder
	capture  string // where the program in qmail-queue's place keeps what it is given
	scratch  string // @TMP@
	ports    map[string]int
	replaced bool // that program is in place
}

func newBed() (*bed, error) {
	who, err := readAccounts()
	if err != nil {
		return nil, err
	}
	e := &bed{who: who, words: newWords(), later: later(), top: "/run/cases"}
	e.capture, e.scratch = e.top+"/cap", e.top+"/s"
	if err := os.MkdirAll(e.capture, 0o755); err != nil {
		return nil, err
	}
	return e, os.Chmod(e.capture, 0o777|fs.ModeSticky)
}

const keeper = `#!/bin/sh
umask 0
d=%s
: >$d/run.$$
cat >$d/body.$$
cat <&1 >$d/env.$$ 2>/dev/null
x=$(cat $d/exit)
rm -f $d/run.$$
exit $x
`

// replaceQueue puts a program that keeps its input in the place of qmail-queue; nil puts the real one back.
func (e *bed) replaceQueue(code *int) error {
	queue := filepath.Join(conf.Home(), "bin/qmail-queue")
	if e.replaced == (code != nil) {
		if code == nil {
			return nil
		}
	} else if code == nil {
		e.replaced = false
		return os.Rename(queue+".saved", queue)
	} else {
		if err := os.Rename(queue, queue+".saved"); err != nil {
			return err
		}
		e.replaced = true
		if err := os.WriteFile(queue, fmt.Appendf(nil, keeper, e.capture), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(queue, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(e.capture+"/exit", fmt.Appendln(nil, *code), 0o644)
}

// wipe empties a folder.
func wipe(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, f := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
	}
	return err
}

// prepare makes the files of a case.
func (e *bed) prepare(c *Case) error {
	for _, u := range testqmail.Users() {
		if u.Owned {
			err := errors.Join(os.MkdirAll(u.Home, 0o755), os.Chmod(u.Home, 0o755), wipe(u.Home),
				os.Chown(u.Home, u.UID, u.UID))
			if err != nil {
				return err
			}
		}
	}
	os.RemoveAll(e.scratch)
	err := errors.Join(os.Mkdir(e.scratch, 0o755), os.Chmod(e.scratch, 0o777|fs.ModeSticky),
		wipe(e.who.home[conf.UserNames().Alias]),
		wipe(filepath.Join(conf.Home(), "control")), wipe(filepath.Join(conf.Home(), "users")))
	if err != nil {
		return err
	}
	kept, _ := filepath.Glob(e.capture + "/*.*")
	for _, f := range kept {
		os.Remove(f)
	}
	control := map[string]*string{"me": new("mail.oracle.test\n")}
	if c.Kind == "system" {
		control["locals"] = new("local.oracle.test\nmail.oracle.test\n")
		control["rcpthosts"] = new("local.oracle.test\n")
	}
	for n, v := range c.Control {
		control[n] = v
	}
	for n, v := range control {
		if v != nil {
			if err := write(filepath.Join(conf.Home(), "control", raw(n)), e.fill(raw(*v))); err != nil {
				return err
			}
		}
	}
	for n, v := range c.Users {
		if err := write(filepath.Join(conf.Home(), "users", raw(n)), e.fill(raw(v))); err != nil {
			return err
		}
	}
	for _, p := range c.Setup {
		if err := e.put(p); err != nil {
			return err
		}
	}
	for _, p := range c.Pre {
		if _, err := e.command(c, p, p.Timeout); err != nil {
			return err
		}
	}
	return nil
}

func write(path, text string) error {
	return errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644))
}

// put makes one file.
func (e *bed) put(p Put) error {
	path := e.fill(raw(p.Path))
	if fi, err := os.Lstat(path); err == nil && (!fi.IsDir() || p.Type == "absent") {
		os.RemoveAll(path)
	}
	made := []string{path}
	mode := "0644"
	var err error
	switch p.Type {
	case "absent":
		return nil
	case "symlink":
		return os.Symlink(e.fill(raw(p.Target)), path)
	case "dir":
		mode, err = "0755", os.MkdirAll(path, 0o755)
	case "maildir":
		mode = "0755"
		for _, d := range []string{"tmp", "new", "cur"} {
			made = append(made, filepath.Join(path, d))
			err = errors.Join(err, os.MkdirAll(filepath.Join(path, d), 0o755))
		}
	default:
		text := e.fill(raw(p.Content))
		if p.Tcpto != nil {
			text += tcptoTable(p.Tcpto)
		}
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if p.Mode != "" {
		mode = p.Mode
	}
	for _, m := range made {
		err = errors.Join(err, e.give(m, p.Owner, mode))
	}
	if p.MtimeAgo != 0 {
		t := time.Now().Add(-time.Duration(p.MtimeAgo * float64(time.Second)))
		err = errors.Join(err, os.Chtimes(path, t, t))
	}
	return err
}

// give sets owner ("user" or "user:group") and mode (octal).
func (e *bed) give(path, owner, mode string) error {
	if owner != "" {
		user, group, both := strings.Cut(owner, ":")
		gid := e.who.gid[user]
		if both {
			gid = e.who.gid[group]
		}
		if err := os.Chown(path, e.who.uid[user], gid); err != nil {
			return err
		}
	}
	n, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return err
	}
	m := fs.FileMode(n & 0o777)
	for bit, as := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			m |= as
		}
	}
	return os.Chmod(path, m)
}

// tcptoTable is a lock/tcpto of the given records.
func tcptoTable(records [][]any) string {
	b := make([]byte, 0, 1024)
	for _, r := range records {
		ip := netip.MustParseAddr(r[0].(string)).As4()
		b = append(append(b, ip[:]...), byte(r[1].(float64)), 0, 0, 0)
		b = binary.LittleEndian.AppendUint64(b, uint64(time.Now().Unix()-int64(r[2].(float64))))
	}
	return string(b[:1024:1024][:1024])
}

// queueFiles returns the files of messages that are in the queue, sorted.
func queueFiles() []string {
	var all []string
	for _, d := range []string{"mess/*", "info/*", "local/*", "remote/*", "intd", "todo", "bounce", "pid"} {
		files, _ := filepath.Glob(filepath.Join(conf.Home(), "queue", d, "*"))
		for _, f := range files {
			if fi, err := os.Lstat(f); err == nil && !fi.IsDir() {
				all = append(all, f)
			}
		}
	}
	slices.Sort(all)
	return all
}

// emptyQueue removes them, and what lock/tcpto has.
func emptyQueue() error {
	for _, f := range queueFiles() {
		os.Remove(f)
	}
	f, err := os.OpenFile(filepath.Join(conf.Home(), "queue/lock/tcpto"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(make([]byte, 1024), 0)
	return err
}

func sortStrings(list []any) {
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
}
