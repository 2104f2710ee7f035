package queue

import (
	"os"

	"qmail/internal/sys"
)

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
