//go:build !linux

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket makes an Internet socket that does not block.
func Socket(family, kind int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		unix.CloseOnExec(fd)
		err = unix.SetNonblock(fd, true)
	}
	return fd, err
}

func accept(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	c, from, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(c)
		err = unix.SetNonblock(c, false)
	}
	return c, from, err
}

func pipe(p []int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	err := unix.Pipe(p)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	return err
}
