// Package hier is the installed tree as data: what "make setup" makes, and what "make check" holds it against.
package hier

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"qmail/conf"
)

// A Kind is what an Entry is in the file system.
type Kind uint8

const (
	Dir  Kind = iota // a folder
	File             // a file that comes with the suite: replaced by each installation
	Pipe             // a FIFO
	Data             // a file that qmail keeps: made once, its contents never touched again
)

// Type is the type that a file of this kind has.
func (k Kind) Type() fs.FileMode {
	switch k {
	case Dir:
		return fs.ModeDir
	case Pipe:
		return fs.ModeNamedPipe
	}
	return 0
}

// An Entry is one name of the installed tree.
type Entry struct {
	Kind  Kind
	Path  string // below HOME; "." is HOME
	Owner string // a name of conf-users
	Group string // a name of conf-groups
	Mode  fs.FileMode
	From  string // File: where it comes from, below the source tree
	Fill  bool   // File: @QMAIL@ in it stands for HOME
	Size  int    // Data: its size when new, all zero bytes
}

// Folder returns where the folder of an entry is below HOME. In rest no symbolic link has a place: the users of the
// queue and of the keys own what is in it. Elsewhere an administrator may have put one; rest is empty.
func (e Entry) Folder() (folder, rest string) {
	folder = path.Dir(e.Path)
	for _, top := range [...]string{queueName, keysName} {
		if folder == top {
			return top, "."
		}
		if rest, ok := strings.CutPrefix(folder, top+"/"); ok {
			return top, rest
		}
	}
	return folder, ""
}

// Bits are the permission bits as chmod(2) has them, set-uid and the like included.
func (e Entry) Bits() uint32 {
	b := uint32(e.Mode.Perm())
	if e.Mode&fs.ModeSetuid != 0 {
		b |= 0o4000
	}
	if e.Mode&fs.ModeSetgid != 0 {
		b |= 0o2000
	}
	if e.Mode&fs.ModeSticky != 0 {
		b |= 0o1000
	}
	return b
}

// Tree returns every entry, a folder before what is in it. The manual pages and documents are those
// that source has.
func Tree(source fs.FS) ([]Entry, error) {
	u, g := conf.UserNames(), conf.GroupNames()
	t := &tree{root: u.Root, group: g.Qmail}
	t.dir(".", u.Root, 0o755)
	t.dir("alias", u.Alias, 0o755|fs.ModeSetgid)
	for _, d := range []string{"bin", "boot", "control", "doc", "man"} {
		t.dir(d, u.Root, 0o755)
	}
	t.dir("users", u.Root, 0o755)
	t.dir("run", u.Root, 0o755)
	t.dir("stats", u.Root, 0o755)
	t.queue(u)
	for _, d := range []string{keysName, "keys/tls", "keys/dkim"} {
		t.dir(d, u.Key, 0o700)
	}
	t.dir("reports", u.Root, 0o755)
	// Qmail-verify, which is qmaild's group, notes there what qmail-report reads and removes.
	t.entries = append(t.entries, Entry{Kind: Dir, Path: "reports/dmarc", Owner: u.Remote, Group: g.NoFiles,
		Mode: 0o730 | fs.ModeSticky})
	t.dir("reports/tls", u.Remote, 0o700)
	t.dir("grey", u.Daemon, 0o700)
	t.programs(u)
	t.boot()
	if err := t.documents(source); err != nil {
		return nil, err
	}
	return t.entries, nil
}

// WithoutKeys returns the entries but those of the user of the keys.
func WithoutKeys(entries []Entry) []Entry {
	key := conf.UserNames().Key
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Owner == key })
}

// KeysOff is what is to be said where that user is missing.
func KeysOff() string {
	name := conf.UserNames().Key
	if name == "" {
		name = "qmailk (line 9 of conf/conf-users)"
	}
	return "there is no user " + name + ": no qmail-key, hence no TLS and no signed mail; all else works"
}

// Queue returns the entries of the queue alone.
func Queue() []Entry {
	t := &tree{group: conf.GroupNames().Qmail}
	t.queue(conf.UserNames())
	return t.entries
}

// tree collects the entries.
type tree struct {
	entries     []Entry
	root, group string
}

func (t *tree) dir(path, owner string, mode fs.FileMode) {
	t.entries = append(t.entries, Entry{Kind: Dir, Path: path, Owner: owner, Group: t.group, Mode: mode})
}

func (t *tree) file(path, from string, mode fs.FileMode, fill bool) {
	t.entries = append(t.entries, Entry{
		Kind: File, Path: path, Owner: t.root, Group: t.group, Mode: mode, From: from, Fill: fill,
	})
}

// The tables of slow hosts hold 64 records, of 16 bytes for IPv4 and of 32 for IPv6, that of hosts with
// quirks 256 of 32; see internal/smtp/tcpto.
const (
	tcptoSize  = 64 * 16
	tcpto6Size = 64 * 32
	quirksSize = 256 * 32
)

const (
	queueName = "queue"
	keysName  = "keys"
)

// queue adds the queue. Who may enter which folder is what keeps its programs apart: qmail-queue and qmail-clean own
// what qmail-send may only read, and the other way round.
func (t *tree) queue(u conf.Users) {
	t.dir(queueName, u.Queue, 0o750)
	t.dir("queue/pid", u.Queue, 0o700)
	t.dir("queue/intd", u.Queue, 0o700)
	t.dir("queue/todo", u.Queue, 0o750)
	t.dir("queue/bounce", u.Send, 0o700)
	t.dir("queue/sendctl", u.Send, 0o700)
	t.split("queue/mess", u.Queue, 0o750)
	t.split("queue/info", u.Send, 0o700)
	t.split("queue/local", u.Send, 0o700)
	t.split("queue/remote", u.Send, 0o700)
	t.dir("queue/lock", u.Queue, 0o750)
	t.dir("queue/lock/mtasts", u.Remote, 0o750)
	t.entries = append(t.entries,
		Entry{Kind: Data, Path: "queue/lock/sendmutex", Owner: u.Send, Group: t.group, Mode: 0o600},
		Entry{Kind: Data, Path: "queue/lock/tcpto", Owner: u.Remote, Group: t.group, Mode: 0o644, Size: tcptoSize},
		Entry{Kind: Data, Path: "queue/lock/tcpto6", Owner: u.Remote, Group: t.group, Mode: 0o644, Size: tcpto6Size},
		Entry{Kind: Data, Path: "queue/lock/quirks", Owner: u.Remote, Group: t.group, Mode: 0o644, Size: quirksSize},
		Entry{Kind: Pipe, Path: "queue/lock/trigger", Owner: u.Send, Group: t.group, Mode: 0o622},
	)
}

// split adds a folder that is divided by conf-split.
func (t *tree) split(path, owner string, mode fs.FileMode) {
	t.dir(path, owner, mode)
	for i := range conf.Split() {
		t.dir(path+"/"+strconv.FormatUint(i, 10), owner, mode)
	}
}
