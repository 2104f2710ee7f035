package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Hangup waits until nobody can write to pipe f any more, whatever there is left to read. Its thread waits with it.
func Hangup(f *os.File) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var got error
	err = rc.Control(func(fd uintptr) {
		for got = unix.EINTR; got == unix.EINTR; {
			_, got = unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, -1)
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("poll", got)
}
