package sys

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Become executes a program in this process, with files as its descriptors from 0 on and no others.
// It returns only when that fails, and then the process is of no use any more: its descriptors have moved.
func Become(path string, args, env []string, files []*os.File) error {
	// First out of the way of each other, then into place.
	moved := make([]int, len(files))
	for i, f := range files {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3*len(files))
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		moved[i] = fd
	}
	for i, fd := range moved {
		if err := unix.Dup2(fd, i); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	return os.NewSyscallError("exec", syscall.Exec(path, args, env))
}

// Reserve opens every free descriptor below n, on what descriptor from is open on, so that nothing that must last
// has its place where Become will put a file. It is the first call of a main that calls Become.
func Reserve(n, from int) error {
	for {
		fd, err := unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		if fd >= n {
			return unix.Close(fd)
		}
	}
}
