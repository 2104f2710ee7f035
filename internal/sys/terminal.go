package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// LeaveTerminal gives up the controlling terminal of this process, and with it the right to type into it for
// whoever sits there. Its process group is what it was, so an interrupt from the keyboard still ends it. A leader of a
// session keeps the terminal: nobody but what it starts would read there.
func LeaveTerminal() error {
	sid, err := unix.Getsid(0)
	if err != nil || sid == os.Getpid() {
		return os.NewSyscallError("getsid", err)
	}
	tty, err := Open("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil // there is none
	}
	defer tty.Close()
	return os.NewSyscallError("ioctl TIOCNOTTY", unix.IoctlSetInt(int(tty.Fd()), unix.TIOCNOTTY, 0))
}

// Hide has a terminal not show what is typed; show undoes that. ok is false where f is no terminal.
func Hide(f *os.File) (show func(), ok bool) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, getTerminal)
	if err != nil {
		return nil, false
	}
	hidden := *old
	hidden.Lflag &^= unix.ECHO
	hidden.Lflag |= unix.ECHONL | unix.ICANON | unix.ISIG
	if unix.IoctlSetTermios(fd, setTerminal, &hidden) != nil {
		return nil, false
	}
	return func() { unix.IoctlSetTermios(fd, setTerminal, old) }, true
}
