package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// ReceivePacketHere is ReceivePacket for a process that has nothing else to do meanwhile: the calling thread waits in the
// kernel, which costs fewer switches between threads than the runtime's poller.
func ReceivePacketHere(f *os.File, b []byte, maxFiles int) (n int, files []*os.File, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	p := packet{b: b, oob: space(maxFiles)}
	err = rc.Control(func(fd uintptr) {
		for p.receive(int(fd)) == unix.EAGAIN {
			if _, p.err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); p.err != nil && p.err != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return 0, nil, err
	}
	return p.open()
}
