package sys

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// ErrTruncated says that a packet, or the descriptors in it, did not fit. The descriptors that
	// came are closed.
	ErrTruncated = errors.New("packet truncated")
	// ErrBusy says that a packet could not be sent without waiting.
	ErrBusy = errors.New("packet socket is full")
)

// PacketPair makes a pair of connected SOCK_SEQPACKET sockets, close-on-exec. The first is
// non-blocking, so that Go's poller waits for it; the second blocks, for a child to inherit.
func PacketPair() (here, there *os.File, err error) {
	p, err := packetPair()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(p[0]), "worker"), os.NewFile(uintptr(p[1]), "parent"), nil
}

// SendPacket sends b and the files as one packet. It never waits: a full socket is ErrBusy.
func SendPacket(f *os.File, b []byte, files ...*os.File) error {
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, x := range files {
			fds[i] = int(x.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = rc.Control(func(fd uintptr) {
		for {
			sent = unix.Sendmsg(int(fd), b, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if sent != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	if sent == unix.EAGAIN || sent == unix.ENOBUFS {
		return ErrBusy
	}
	return os.NewSyscallError("sendmsg", sent)
}

// ReceivePacket reads one packet of at most len(b) bytes and at most maxFiles descriptors,
// which are close-on-exec. io.EOF means that the other end is closed. With maxFiles 0 no
// descriptor is ever received.
func ReceivePacket(f *os.File, b []byte, maxFiles int) (n int, files []*os.File, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	var oob []byte
	if maxFiles > 0 {
		oob = make([]byte, unix.CmsgSpace(4*maxFiles))
	}
	var oobn, flags int
	var got error
	err = rc.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, got = unix.Recvmsg(int(fd), b, oob, recvFlags)
			if got != unix.EINTR {
				return got != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return 0, nil, err
	}
	if got != nil {
		return 0, nil, os.NewSyscallError("recvmsg", got)
	}
	files, err = rights(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = ErrTruncated
	}
	if err != nil {
		for _, x := range files {
			x.Close()
		}
		return 0, nil, err
	}
	if n == 0 && len(files) == 0 {
		return 0, nil, io.EOF
	}
	return n, files, nil
}

func rights(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "job"))
		}
	}
	return files, nil
}

// IsPacketSocket reports whether f is a SOCK_SEQPACKET socket, as a worker's parent gives it.
func IsPacketSocket(f *os.File) bool {
	t, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && t == unix.SOCK_SEQPACKET
}

// WaitReadable waits until f can be read, has ended, or d has passed; it reports whether f can be read or has ended.
// It is for descriptors that the runtime cannot poll.
func WaitReadable(f *os.File, d time.Duration) (bool, error) {
	end := time.Now().Add(d)
	for {
		ms := int(max(0, time.Until(end)).Milliseconds())
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}, ms)
		if err == unix.EINTR {
			continue
		}
		return n > 0, os.NewSyscallError("poll", err)
	}
}
