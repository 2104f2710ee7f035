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
	// ErrTooLong says that a packet is larger than its socket takes.
	ErrTooLong = errors.New("packet too long")
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

// Polled makes a File for which the runtime waits of one that it may not know how to wait for. The socket does not
// block any more, for whoever has it. f is closed.
func Polled(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// SendPacket sends b and the files as one packet. It never waits: a full socket is ErrBusy. A packet that is larger
// than the socket ever takes is ErrTooLong.
func SendPacket(f *os.File, b []byte, files ...*os.File) error {
	var oob []byte
	if len(files) > 0 {
		var room [4]int
		fds := room[:0]
		for _, x := range files {
			fds = append(fds, int(x.Fd()))
		}
		oob = unix.UnixRights(fds...)
	}
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = rc.Control(func(fd uintptr) { sent = send(int(fd), b, oob, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) })
	if err != nil {
		return err
	}
	switch sent {
	case unix.EAGAIN, unix.ENOBUFS:
		return ErrBusy
	case unix.EMSGSIZE:
		return ErrTooLong
	}
	return os.NewSyscallError("sendmsg", sent)
}

// SendPacketWaiting is SendPacket without files for a socket that blocks: it waits while that is full.
func SendPacketWaiting(f *os.File, b []byte) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = rc.Control(func(fd uintptr) { sent = send(int(fd), b, nil, unix.MSG_NOSIGNAL) })
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendmsg", sent)
}

func send(fd int, b, oob []byte, flags int) error {
	return again(func() error { return unix.Sendmsg(fd, b, oob, nil, flags) })
}

// ReceivePacket waits for one packet of at most len(b) bytes and at most maxFiles descriptors,
// which are close-on-exec. io.EOF means that the other end is closed. With maxFiles 0 no
// descriptor is ever received. f is the first of a PacketPair, and may have a deadline.
func ReceivePacket(f *os.File, b []byte, maxFiles int) (n int, files []*os.File, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	p := packet{b: b, oob: space(maxFiles)}
	if err := rc.Read(func(fd uintptr) bool { return p.receive(int(fd)) != unix.EAGAIN }); err != nil {
		return 0, nil, err
	}
	return p.open()
}

// ReceivePacketWaiting is ReceivePacket for a socket that blocks, as the second of a PacketPair does. It waits in
// the kernel, as long as PacketTimeout says: then it returns os.ErrDeadlineExceeded.
func ReceivePacketWaiting(f *os.File, b []byte, maxFiles int) (n int, files []*os.File, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	p := packet{b: b, oob: space(maxFiles)}
	if err := rc.Control(func(fd uintptr) { p.receive(int(fd)) }); err != nil {
		return 0, nil, err
	}
	if p.err == unix.EAGAIN {
		return 0, nil, os.ErrDeadlineExceeded
	}
	return p.open()
}

// Block makes f, the first of a PacketPair, one that blocks.
func Block(f *os.File) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := rc.Control(func(fd uintptr) { set = unix.SetNonblock(int(fd), false) }); err != nil {
		return err
	}
	return os.NewSyscallError("fcntl", set)
}

// PacketTimeout bounds the waits of ReceivePacketWaiting.
func PacketTimeout(f *os.File, d time.Duration) error {
	if !socketTimeout(f, unix.SO_RCVTIMEO, d) {
		return os.NewSyscallError("setsockopt", unix.EINVAL)
	}
	return nil
}

func space(files int) []byte {
	if files == 0 {
		return nil
	}
	return make([]byte, unix.CmsgSpace(4*files))
}

type packet struct {
	b, oob         []byte
	n, oobn, flags int
	err            error
}

func (p *packet) receive(fd int) error {
	return again(func() error {
		p.n, p.oobn, p.flags, _, p.err = unix.Recvmsg(fd, p.b, p.oob, recvFlags)
		return p.err
	})
}

// open returns what was received, with the descriptors as Files.
func (p *packet) open() (int, []*os.File, error) {
	if p.err != nil {
		return 0, nil, os.NewSyscallError("recvmsg", p.err)
	}
	files, err := rights(p.oob[:p.oobn])
	if err == nil && p.flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = ErrTruncated
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return 0, nil, err
	}
	if p.n == 0 && len(files) == 0 {
		return 0, nil, io.EOF
	}
	return p.n, files, nil
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
			if recvFlags == 0 {
				syscall.CloseOnExec(fd)
			}
			files = append(files, os.NewFile(uintptr(fd), "job"))
		}
	}
	return files, nil
}

// IsPacketSocket reports whether descriptor fd is a SOCK_SEQPACKET socket, as a worker's parent gives it.
func IsPacketSocket(fd int) bool {
	t, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && t == unix.SOCK_SEQPACKET
}

// WaitReadable waits until f can be read, has ended, or d has passed; it reports whether f can be read or has ended.
func WaitReadable(f *os.File, d time.Duration) (bool, error) { return wait(f, unix.POLLIN, d) }

// wait waits until one of the events has come, f has ended, or d has passed; it reports whether any of the former.
func wait(f *os.File, events int16, d time.Duration) (bool, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	end := time.Now().Add(d)
	var n int
	var got error
	err = rc.Control(func(fd uintptr) {
		got = again(func() (err error) {
			ms := int(max(0, time.Until(end)+time.Millisecond-1).Milliseconds()) // all of d
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, ms)
			return err
		})
	})
	if err != nil {
		return false, err
	}
	return n > 0, os.NewSyscallError("poll", got)
}
