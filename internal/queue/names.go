// Package queue is the queue on disk: its names, its file formats, and each step that a
// message takes between the states S1 to S5; see docs/INTERNALS.md for the proof.
package queue

import (
	"strconv"
	"sync"

	"qmail/conf"
	"qmail/internal/sys"
)

// An ID is the number of a message: the inode number of its file in mess.
type ID uint64

func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// ParseID reads an ID as it stands in a file's name: decimal digits without leading zeros.
func ParseID(name string) (ID, bool) {
	if name == "" || len(name) > 20 || name[0] == '0' {
		return 0, false
	}
	for i := 0; i < len(name); i++ {
		if name[i] < '0' || name[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(name, 10, 64)
	return ID(n), err == nil
}

// A Channel is one of the two ways out of the queue.
type Channel uint8

const (
	Local  Channel = iota // qmail-lspawn; queue/local
	Remote                // qmail-rspawn; queue/remote
)

// Channels are both channels, in their order.
func Channels() [2]Channel { return [2]Channel{Local, Remote} }

func (c Channel) String() string {
	if c == Local {
		return "local"
	}
	return "remote"
}

// File returns the name of the file with the message's recipients of this channel.
func (c Channel) File(id ID) string { return split(c.String(), id) }

// MessName returns the name of a message below queue/mess, as orders to the spawners have it.
func MessName(id ID) string { return SplitFolder(id) + "/" + id.String() }

// SplitFolder returns the name of the subfolder of mess, info, local and remote that holds message id.
func SplitFolder(id ID) string { return strconv.FormatUint(uint64(id)%conf.Split(), 10) }

// Names of a message's files relative to the queue folder.
func Mess(id ID) string   { return split("mess", id) }
func Info(id ID) string   { return split("info", id) }
func Intd(id ID) string   { return "intd/" + id.String() }
func Todo(id ID) string   { return "todo/" + id.String() }
func Bounce(id ID) string { return "bounce/" + id.String() }

func split(folder string, id ID) string { return folder + "/" + MessName(id) }

// folderOf returns the folder part of a name.
func folderOf(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[:i]
		}
	}
	return "."
}

// A Queue is one queue folder. It holds no state of its own: any number of goroutines and processes may use it.
type Queue struct {
	fs     FS
	follow bool // a name made before its file's sync is durable with it
	// ordered says, when it is first asked for, whether changes reach the disk in their order.
	ordered func() bool
	copier  sys.Copier // of the messages that are taken in, one after another
}

// Open returns the queue in folder dir on the real disk, or on fsys when that is not nil. It looks at nothing yet
// but the kind of the filesystem.
func Open(dir string, fsys FS) *Queue {
	if fsys == nil {
		fsys = Disk(dir)
	}
	return &Queue{fs: fsys, follow: fsys.NamesFollow(), ordered: sync.OnceValue(fsys.Ordered)}
}
