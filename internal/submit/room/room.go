// Package room says when the queue's filesystem is too full for more mail. What is kept free is for the mail that is
// there already: qmail-send writes down what became of it, and users' mailboxes may be on the same filesystem.
package room

import (
	"path/filepath"

	"qmail/conf"
	"qmail/internal/sys"
)

const (
	// Reserve and ReserveInodes are what qmail-queue leaves free of a filesystem, or a 64th of it where that is less.
	Reserve, ReserveInodes = 32 << 20, 2000
	part                   = 64
	// network is how many times that the servers leave free, so that mail of this host still goes where strangers fill
	// the disk.
	network = 2
)

// InQueue reports whether qmail-queue may take a message into the queue at dir.
func InQueue(dir string) bool { return free(dir, 1) }

// ForNetwork reports whether a server may take a message.
func ForNetwork() bool { return free(filepath.Join(conf.Home(), "queue"), network) }

// free reports whether there are times the reserve. Where nothing can be found out there is.
func free(dir string, times uint64) bool {
	s, err := sys.SpaceOf(dir)
	return err != nil || enough(s.Free, s.Bytes, Reserve, times) && enough(s.FreeInodes, s.Inodes, ReserveInodes, times)
}

// enough compares what is free with a reserve. A filesystem that does not count its inodes has none in all.
func enough(free, all, reserve, times uint64) bool {
	return all == 0 || free >= times*min(reserve, all/part)
}
