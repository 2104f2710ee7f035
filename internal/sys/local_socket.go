package sys

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNobody says that nobody listens at a local socket.
var ErrNobody = errors.New("nobody is listening")

// ListenPackets makes a SOCK_SEQPACKET socket at path and listens on it. A socket that an earlier process left there is
// replaced: the caller knows that there is no other.
func ListenPackets(path string, mode fs.FileMode) (*Listener, error) {
	return listenLocal(path, mode, unix.SOCK_SEQPACKET)
}

// ListenLocal is ListenPackets for a stream of bytes.
func ListenLocal(path string, mode fs.FileMode) (*Listener, error) {
	return listenLocal(path, mode, unix.SOCK_STREAM)
}

func listenLocal(path string, mode fs.FileMode, kind int) (*Listener, error) {
	unix.Unlink(path)
	fd, err := localSocket(kind)
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
	fd, err := localSocket(unix.SOCK_SEQPACKET)
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

// DialLocal connects to the stream socket at path, and waits no longer than d for a server that accepts nothing.
// ErrNobody when nobody listens there. The File has deadlines.
func DialLocal(path string, d time.Duration) (*os.File, error) {
	fd, err := localSocket(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	tv := unix.NsecToTimeval(int64(d))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		if err == unix.ECONNREFUSED || err == unix.ENOENT {
			return nil, ErrNobody
		}
		return nil, &fs.PathError{Op: "connect", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func localSocket(kind int) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	return fd, nil
}
