package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// PeerUID returns the uid of who connected a local socket.
func PeerUID(f *os.File) (int, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var c *unix.Ucred
	var got error
	if err := rc.Control(func(fd uintptr) {
		c, got = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if got != nil {
		return 0, os.NewSyscallError("getsockopt", got)
	}
	return int(c.Uid), nil
}
