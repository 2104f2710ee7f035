package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Pipe makes a pipe whose reads and writes block. It costs a third of the system calls of os.Pipe, whose ends the
// runtime polls.
func Pipe() (r, w *os.File, err error) {
	var p [2]int
	if err := pipe(p[:]); err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	return os.NewFile(uintptr(p[0]), "pipe"), os.NewFile(uintptr(p[1]), "pipe"), nil
}

// Duplicate returns another number, over 2 and close-on-exec, for what descriptor fd is.
func Duplicate(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return n, os.NewSyscallError("fcntl", err)
}

// PipeRoom returns how many bytes an empty pipe holds; 0 where that is not known.
func PipeRoom(f *os.File) int { return pipeRoom(f) }

// ReadNow reads what is in a pipe, and waits for nothing.
func ReadNow(f *os.File, b []byte) (int, error) {
	fd := int(f.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	n, err := unix.Read(fd, b)
	return max(n, 0), os.NewSyscallError("read", err)
}

// IsPipe reports whether a descriptor is open and a pipe.
func IsPipe(f *os.File) bool {
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeNamedPipe != 0
}

// OutputPipe makes a pipe for the output of a child: the runtime polls its reading end, its writing end blocks, as
// a child expects, and costs no more than a pipe.
func OutputPipe() (r, w *os.File, err error) {
	var p [2]int
	if err := pipe(p[:]); err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_SETFL, unix.O_NONBLOCK); err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(p[0]), "pipe"), os.NewFile(uintptr(p[1]), "pipe"), nil
}
