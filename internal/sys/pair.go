package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// StreamPair makes a pair of connected stream sockets, close-on-exec. The runtime waits for the first; the second
// blocks, for a child to inherit.
func StreamPair() (here, there *os.File, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	if err := unix.SetNonblock(p[0], true); err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(p[0]), "pair"), os.NewFile(uintptr(p[1]), "pair"), nil
}

// OneWay makes a StreamPair for bytes that go from here to there. The reader meets an end only after EndOneWay:
// where the writer goes without it, be it by a crash, reading fails on Linux.
func OneWay() (here, there *os.File, err error) {
	if here, there, err = StreamPair(); err != nil {
		return nil, nil, err
	}
	// A socket that is closed with something unread has its peer's next read fail.
	if _, err = there.Write([]byte{0}); err != nil {
		here.Close()
		there.Close()
		return nil, nil, err
	}
	return here, there, nil
}

// EndOneWay tells the reader of a OneWay that no more comes.
func EndOneWay(here *os.File) error {
	rc, err := here.SyscallConn()
	if err != nil {
		return err
	}
	var got error
	if err = rc.Control(func(fd uintptr) { got = unix.Shutdown(int(fd), unix.SHUT_WR) }); err != nil {
		return err
	}
	return os.NewSyscallError("shutdown", got)
}
