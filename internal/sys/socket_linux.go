package sys

import "golang.org/x/sys/unix"

// Socket makes an Internet socket that does not block.
func Socket(family, kind int) (int, error) {
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

func accept(fd int) (int, unix.Sockaddr, error) { return unix.Accept4(fd, unix.SOCK_CLOEXEC) }

func pipe(p []int) error { return unix.Pipe2(p, unix.O_CLOEXEC) }
