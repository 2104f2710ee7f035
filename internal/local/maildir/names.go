package maildir

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"qmail/internal/sys"
)

// Names gives the deliveries of one process their names: no two processes of a host have the same process id in
// the same second, and a count tells apart the deliveries of one process. They also keep what was found out about the
// filesystem of the last delivery, since a process seldom sees two, and the memory by which messages are copied.
type Names struct {
	pid   int
	host  string
	count atomic.Int64
	last  atomic.Pointer[filesystem]

	copier sys.Copier
}

type filesystem struct {
	dev     uint64
	ordered bool
}

// NewNames returns the names of this process.
func NewNames() *Names {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &Names{pid: os.Getpid(), host: safeHost(host)}
}

// next returns TIME.PID.HOST for the process's first delivery and TIME.PID.N.HOST from the second on.
func (n *Names) next(now time.Time) string {
	b := strconv.AppendInt(make([]byte, 0, 64), now.Unix(), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(n.pid), 10)
	if k := n.count.Add(1); k > 1 {
		b = append(b, '.')
		b = strconv.AppendInt(b, k, 10)
	}
	b = append(b, '.')
	return string(append(b, n.host...))
}

// ordered reports whether f, which is in folder, is on an ordered filesystem.
func (n *Names) ordered(folder string, f *os.File) bool {
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	dev, _ := sys.Inode(fi)
	last := n.last.Load()
	if last == nil || last.dev != dev {
		last = &filesystem{dev, sys.Ordered(folder)}
		n.last.Store(last)
	}
	return last.ordered
}

// safeHost replaces what may not stand in a file name, or means something in one of a Maildir.
func safeHost(host string) string {
	b := make([]byte, 0, len(host))
	for i := 0; i < len(host); i++ {
		switch host[i] {
		case '/':
			b = append(b, `\057`...)
		case ':':
			b = append(b, `\072`...)
		default:
			b = append(b, host[i])
		}
	}
	return string(b)
}
