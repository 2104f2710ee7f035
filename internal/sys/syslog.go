package sys

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Syslog is a connection to the system's logger. The zero value connects at the first message.
type Syslog struct {
	Paths  []string // sockets to try
	fd     int      // valid when open
	open   bool
	stream bool
}

// Send hands over one message. When the logger has gone it connects again, as often as it can before end.
func (s *Syslog) Send(b []byte, end time.Time) error {
	const first, longest = 10 * time.Millisecond, 200 * time.Millisecond
	for pause := first; ; pause = min(2*pause, longest) {
		err := s.sendOnce(b)
		if err == nil || errors.Is(err, unix.EMSGSIZE) || time.Now().Add(pause).After(end) {
			return err
		}
		time.Sleep(pause)
	}
}

// sendOnce sends, and where the connection turns out dead once more on a new one.
func (s *Syslog) sendOnce(b []byte) error {
	if s.open && s.write(b) == nil {
		return nil
	}
	if err := s.connect(); err != nil {
		return err
	}
	return s.write(b)
}

func (s *Syslog) write(b []byte) error {
	if s.stream {
		b = append(b, 0) // ends a message there
	}
	for len(b) > 0 {
		n, err := unix.Write(s.fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return s.fail("write", err)
		case !s.stream:
			return nil
		default:
			b = b[n:]
		}
	}
	return nil
}

func (s *Syslog) fail(what string, err error) error {
	unix.Close(s.fd)
	s.open = false
	return os.NewSyscallError(what, err)
}

// connect tries each socket, as one for datagrams and then as a stream.
func (s *Syslog) connect() error {
	err := error(unix.ENOENT)
	for _, path := range s.Paths {
		for _, kind := range [...]int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
			syscall.ForkLock.RLock()
			fd, serr := unix.Socket(unix.AF_UNIX, kind, 0)
			if serr == nil {
				unix.CloseOnExec(fd)
			}
			syscall.ForkLock.RUnlock()
			if serr != nil {
				return os.NewSyscallError("socket", serr)
			}
			s.fd, s.open, s.stream = fd, true, kind == unix.SOCK_STREAM
			if err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err == nil {
				return nil
			}
			s.fail("connect", err)
		}
	}
	return os.NewSyscallError("connect", err)
}
