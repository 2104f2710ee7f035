package sys

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNoDescriptorFromTheGivenOneOnIsInherited(t *testing.T) {
	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	flags := func() int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n & unix.FD_CLOEXEC
	}
	InheritOnly(fd + 1)
	if flags() != 0 {
		t.Error("a descriptor below is taken away")
	}
	InheritOnly(fd)
	if flags() == 0 {
		t.Error("it is inherited")
	}
}
