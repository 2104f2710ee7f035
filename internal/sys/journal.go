package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsJournal reports whether f leads to journald, as the output of a service of systemd does.
func IsJournal(f *os.File) bool {
	peer, err := unix.Getpeername(int(f.Fd()))
	if err != nil {
		return false
	}
	local, ok := peer.(*unix.SockaddrUnix)
	return ok && local.Name == "/run/systemd/journal/stdout"
}
