package queue

import (
	"os"

	"qmail/internal/sys"
)

// LockClean waits until no other qmail-clean works on the queue below folder dir, and takes its place. The caller
// keeps the file open as long as it runs. A qmail-clean that outlives its qmail-send may have requests left to do,
// and a later qmail-send must not read what they are about before they are done. Where there is no such lock nobody
// waits; nil.
func LockClean(dir string) *os.File {
	f, err := sys.Open(dir+"/intd", os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	sys.Lock(f)
	return f
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
