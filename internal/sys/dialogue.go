package sys

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Dialogue reads and writes descriptors of any kind (socket, pipe, terminal, file), and gives up with
// os.ErrDeadlineExceeded when nothing moves for a while.
type Dialogue struct {
	in, out half
	timeout time.Duration
	end     time.Time
}

// A half is one direction, and how it is kept from waiting for ever.
type half struct {
	f      *os.File
	socket bool // the kernel ends a wait
	polled bool // the runtime does
}

// NewDialogue makes a Dialogue; in and out may be the same.
func NewDialogue(in, out *os.File) *Dialogue {
	return &Dialogue{in: half{f: in, polled: in.SetReadDeadline(time.Time{}) == nil},
		out: half{f: out, polled: out.SetWriteDeadline(time.Time{}) == nil}}
}

// Turn has it go on with other descriptors, and the same limits.
func (d *Dialogue) Turn(in, out *os.File) {
	n := NewDialogue(in, out)
	d.in, d.out = n.in, n.out
	d.Timeout(d.timeout)
}

// Timeout sets how long a read or a write may wait. It stays with a socket, whoever else uses that: 0 takes it off,
// after which nothing is to be read or written here.
func (d *Dialogue) Timeout(t time.Duration) {
	d.timeout = t
	d.in.socket = !d.in.polled && socketTimeout(d.in.f, unix.SO_RCVTIMEO, t)
	d.out.socket = !d.out.polled && socketTimeout(d.out.f, unix.SO_SNDTIMEO, t)
}

// Within sets a time after which no read begins, however fast the bytes come until then: whoever
// sends one byte at a time has no more time than others. The zero time is never.
func (d *Dialogue) Within(end time.Time) { d.end = end }

// Read reads what is there, and waits for the first byte.
func (d *Dialogue) Read(b []byte) (int, error) {
	if !d.end.IsZero() && time.Now().After(d.end) {
		return 0, os.ErrDeadlineExceeded
	}
	switch {
	case d.in.polled:
		d.in.f.SetReadDeadline(time.Now().Add(d.timeout))
	case !d.in.socket:
		if ok, err := WaitReadable(d.in.f, d.timeout); !ok && err == nil {
			return 0, os.ErrDeadlineExceeded
		}
	}
	n, err := d.in.f.Read(b)
	return n, expired(err)
}

// Awaits reports whether anything comes, or the other end closes, before d has passed. It reads nothing.
func (d *Dialogue) Awaits(t time.Duration) bool {
	ok, err := WaitReadable(d.in.f, t)
	return ok || err != nil
}

// Write writes all of b.
func (d *Dialogue) Write(b []byte) (int, error) {
	switch {
	case d.out.polled:
		d.out.f.SetWriteDeadline(time.Now().Add(d.timeout))
	case !d.out.socket:
		if ok, err := waitWritable(d.out.f, d.timeout); !ok && err == nil {
			return 0, os.ErrDeadlineExceeded
		}
	}
	n, err := d.out.f.Write(b)
	return n, expired(err)
}

// expired names the error by which the kernel ends a wait.
func expired(err error) error {
	if pe, ok := err.(*os.PathError); ok && pe.Err == unix.EAGAIN {
		return os.ErrDeadlineExceeded
	}
	return err
}

func socketTimeout(f *os.File, option int, t time.Duration) bool {
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	tv := unix.NsecToTimeval(int64(t))
	var set error
	err = rc.Control(func(fd uintptr) { set = unix.SetsockoptTimeval(int(fd), unix.SOL_SOCKET, option, &tv) })
	return err == nil && set == nil
}

func waitWritable(f *os.File, d time.Duration) (bool, error) {
	return wait(f, unix.POLLOUT, d)
}
