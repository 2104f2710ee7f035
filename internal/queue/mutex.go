package queue

import (
	"os"

	"qmail/internal/sys"
)

// LockClean waits until no other qmail-clean works on the queue below folder dir, and takes its place. The caller
// keeps the file open as long as it runs. A qmail-clean that outlives its qmail-send may have requests left to do,
// and a later qmail-send must not read what they are about before they are done. Where there is no such lock nobody
// waits; nil. It is false when nobody can send requests any more before it is our turn: a qmail-send that finds
// another one at work leaves at once, and its qmail-clean would wait as long as the other runs.
func LockClean(dir string, requests *os.File) (*os.File, bool) {
	f, err := sys.Open(dir+"/intd", os.O_RDONLY, 0)
	if err != nil {
		return nil, true
	}
	if sys.TryLock(f) != sys.ErrLocked {
		return f, true
	}
	locked, left := make(chan struct{}), make(chan struct{})
	go func() {
		sys.Lock(f)
		close(locked)
	}()
	go func() {
		if sys.Hangup(requests) == nil {
			close(left)
		}
	}()
	select {
	case <-locked:
		return f, true
	case <-left:
		return nil, false
	}
}

// LockSend takes the lock that only one qmail-send may have, on the queue below folder dir. The caller keeps the
// file open as long as it runs. sys.ErrLocked means that another one is running.
func LockSend(dir string) (*os.File, error) {
	f, err := sys.OpenNow(dir+"/lock/sendmutex", os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	if err := sys.TryLock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
