package inet

import (
	"os"

	"golang.org/x/sys/unix"
)

// Shutdown ends a connection for whoever has it open.
func Shutdown(f *os.File) {
	if rc, err := f.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

// NoDelay has what is written to a TCP connection sent at once.
func NoDelay(f *os.File) {
	if rc, err := f.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) })
	}
}
