package inet

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Flow tells of a TCP connection how long its other end has sent nothing, and how many bytes it has sent and taken in
// all.
func Flow(f *os.File) (idle time.Duration, bytes uint64, ok bool) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	var info *unix.TCPInfo
	err = rc.Control(func(fd uintptr) { info, ok = tcpInfo(int(fd)) })
	if err != nil || !ok {
		return 0, 0, false
	}
	return time.Duration(info.Last_data_recv) * time.Millisecond, info.Bytes_received + info.Bytes_acked, true
}

func tcpInfo(fd int) (*unix.TCPInfo, bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return info, err == nil
}
