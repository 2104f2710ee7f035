package sys

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// IsListening reports whether descriptor fd is a listening socket.
func IsListening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}

// A Listener accepts connections.
type Listener struct{ f *os.File }

// NewListener takes the listening socket fd, which from now on does not block, whoever else has it.
func NewListener(fd int) (*Listener, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Listener{os.NewFile(uintptr(fd), "listening socket")}, nil
}

// File is the socket, for a child to inherit.
func (l *Listener) File() *os.File { return l.f }

// Stop has Accept, a call that waits as well, return os.ErrDeadlineExceeded.
func (l *Listener) Stop() { l.f.SetReadDeadline(time.Unix(1, 0)) }

// A Sockaddr is the address of a socket, as the kernel has it.
type Sockaddr = unix.Sockaddr

// Accept waits for a connection. The File blocks.
func (l *Listener) Accept() (*os.File, Sockaddr, error) {
	rc, err := l.f.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	fd := -1
	var from unix.Sockaddr
	var got error
	err = rc.Read(func(s uintptr) bool {
		for {
			fd, from, got = accept(int(s))
			if got != unix.EINTR {
				return got != unix.EAGAIN
			}
		}
	})
	if err == nil {
		err = os.NewSyscallError("accept", got)
	}
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "connection"), from, nil
}

// Passing reports whether an error of Accept is the connection's, which went away before it was accepted.
func Passing(err error) bool {
	return errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EPROTO) || errors.Is(err, unix.EPERM)
}
