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
