// Package passwd reads /etc/passwd and /etc/group without cgo, and turns the account names of
// conf-users and conf-groups into numbers.
package passwd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"qmail/conf"
)

// Path names of the two files. Tests look below another root, by IDsIn and LookupIn.
const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// maxLine bounds one line: longer ones are passed over.
const maxLine = 64 << 10

// An Entry is one line of /etc/passwd.
type Entry struct {
	Name     string
	UID, GID int
	Home     string
	Shell    string
}

// ErrUnknown says that the file was read to its end and has no such name.
var ErrUnknown = errors.New("no such name")

// IDs are the numbers of the accounts of conf-users and conf-groups.
type IDs struct {
	Alias, Daemon, Log, Root, Passwd, Queue, Remote, Send int // uids
	Qmail, NoFiles                                        int // gids
}

// QmailIDs looks up all accounts of conf-users and conf-groups. An account that is missing is an error that
// wraps ErrUnknown and names it.
func QmailIDs() (IDs, error) { return IDsIn("") }

// IDsIn is QmailIDs with the files below folder root.
func IDsIn(root string) (IDs, error) {
	u, g := conf.UserNames(), conf.GroupNames()
	var ids IDs
	err := find(root+passwdFile, []string{u.Alias, u.Daemon, u.Log, u.Root, u.Passwd, u.Queue, u.Remote, u.Send},
		[]*int{&ids.Alias, &ids.Daemon, &ids.Log, &ids.Root, &ids.Passwd, &ids.Queue, &ids.Remote, &ids.Send})
	if err == nil {
		err = find(root+groupFile, []string{g.Qmail, g.NoFiles}, []*int{&ids.Qmail, &ids.NoFiles})
	}
	return ids, err
}

// find fills in the number in the third field for each name, first line first.
func find(file string, names []string, into []*int) error {
	left := make(map[string][]*int, len(names))
	for i, n := range names {
		left[n] = append(left[n], into[i])
	}
	err := eachLine(file, func(f []string) bool {
		if p, ok := left[f[0]]; ok && len(f) > 2 {
			if n, ok := number(f[2]); ok {
				for _, x := range p {
					*x = n
				}
				delete(left, f[0])
			}
		}
		return len(left) > 0
	})
	if err != nil {
		return err
	}
	for _, n := range names {
		if _, ok := left[n]; ok {
			return fmt.Errorf("%s: %s: %w", file, n, ErrUnknown)
		}
	}
	return nil
}

// Lookup returns the entry of a user. ErrUnknown means that /etc/passwd was read whole and has no
// such line; any other error says nothing about the user.
func Lookup(name string) (Entry, error) { return LookupIn("", name) }

// LookupIn is Lookup with the file below folder root.
func LookupIn(root, name string) (Entry, error) {
	var e Entry
	found := false
	err := eachLine(root+passwdFile, func(f []string) bool {
		if f[0] == name {
			e, found = entry(f)
		}
		return !found
	})
	switch {
	case err != nil:
		return Entry{}, err
	case !found:
		return Entry{}, ErrUnknown
	}
	return e, nil
}

// Each calls fn with the entry of every user, the first of several of one name. Lines that are none are passed over.
func Each(fn func(Entry)) error {
	seen := map[string]bool{}
	return eachLine(passwdFile, func(f []string) bool {
		if e, ok := entry(f); ok && !seen[e.Name] {
			seen[e.Name] = true
			fn(e)
		}
		return true
	})
}

// entry returns what the fields of a line say of a user; ok is false where they are none of one.
func entry(f []string) (e Entry, ok bool) {
	if len(f) < 6 {
		return e, false
	}
	uid, ok1 := number(f[2])
	gid, ok2 := number(f[3])
	if !ok1 || !ok2 {
		return e, false
	}
	e = Entry{Name: f[0], UID: uid, GID: gid, Home: f[5]}
	if len(f) > 6 {
		e.Shell = f[6]
	}
	return e, true
}

// number reads a uid or gid: decimal digits and nothing else. The highest number means "nobody at all" to
// the kernel.
func number(s string) (n int, ok bool) {
	v, err := strconv.ParseUint(s, 10, 32)
	return int(v), err == nil && v < 1<<32-1
}

// eachLine calls fn with the fields of each line until it returns false.
func eachLine(file string, fn func(fields []string) bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			for err == bufio.ErrBufferFull {
				_, err = r.ReadSlice('\n')
			}
			line = nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		if fields := split(line); len(fields) > 1 && !fn(fields) {
			return nil
		}
		if err == io.EOF {
			return nil
		}
	}
}

func split(line []byte) []string {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	var f []string
	start := 0
	for i, c := range line {
		if c == ':' {
			f = append(f, string(line[start:i]))
			start = i + 1
		}
	}
	return append(f, string(line[start:]))
}

// Which returns the first of names whose uid is uid, or "" when none of them has it. It reads no further
// than it must: qmail-queue asks for each message.
func Which(uid int, names ...string) (string, error) {
	fd, err := syscall.Open(passwdFile, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) // the runtime's poller has no part in it
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), passwdFile)
	defer f.Close()
	r := bufio.NewReaderSize(f, 4096)
	uids := make([]int, len(names)) // 0: not seen yet; else uid + 1
	for left := len(names); left > 0; {
		line, err := r.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			line = nil
			_, err = r.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return "", err
		}
		for i, name := range names {
			if n := len(name); uids[i] == 0 && len(line) > n && line[n] == ':' && string(line[:n]) == name {
				if fields := split(line); len(fields) > 2 {
					if u, err := strconv.Atoi(fields[2]); err == nil && u >= 0 {
						uids[i] = u + 1
						left--
					}
				}
			}
		}
		if err == io.EOF {
			break
		}
	}
	for i, u := range uids {
		if u == uid+1 {
			return names[i], nil
		}
	}
	return "", nil
}
