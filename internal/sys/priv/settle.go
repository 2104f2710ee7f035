package priv

import (
	"errors"
	"syscall"
)

// ErrNotSetUID says that a program has not become the user that it is installed for.
var ErrNotSetUID = errors.New("not set-uid to a user of its own")

// Settle makes the user that a set-uid program runs as the only one it is: who started it may then send it no signal,
// and cannot come back. It returns who that was. The group and the other groups stay the caller's, but root's go.
func Settle() (caller int, err error) {
	caller, us := syscall.Getuid(), syscall.Geteuid()
	if us == caller || us == 0 {
		return caller, ErrNotSetUID
	}
	if caller == 0 {
		if err = syscall.Setreuid(0, 0); err == nil {
			err = Become(ID{UID: us, GID: noGroup})
		}
	} else if err = syscall.Setreuid(us, us); err == nil && syscall.Setuid(caller) == nil {
		err = errors.New("the caller came back")
	}
	return caller, err
}

// noGroup is a group that no account has: 65534 is the one that Linux and BSD keep for that.
const noGroup = 65534
