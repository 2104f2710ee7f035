package sys

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNobody says that nobody listens at a local socket.
var ErrNobody = errors.New("nobody is listening")

// ListenPackets makes a SOCK_SEQPACKET socket at path and listens on it. A socket that an earlier process left there is
// replaced: the caller knows that there is no other.
func ListenPackets(path string, mode fs.FileMode) (*Listener, error) {
	unix.Unlink(path)
	fd, err := packetSocket()
	if err != nil {
		return nil, err
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if err == nil {
		err = unix.Chmod(path, uint32(mode.Perm()))
	}
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "listen", Path: path, Err: err}
	}
	return NewListener(fd)
}

// DialPackets connects to the socket at path; ErrNobody when nobody listens there.
func DialPackets(path string) (*os.File, error) {
	fd, err := packetSocket()
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		if err == unix.ECONNREFUSED || err == unix.ENOENT {
			return nil, ErrNobody
		}
		return nil, &fs.PathError{Op: "connect", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func packetSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	return fd, nil
}
