package main

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"strconv"
	"time"

	"qmail/internal/qmtp"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

const (
	// port is where QMQP servers listen, unless the control file says otherwise.
	port = 628
	// connectTime is how long to wait for a connection.
	connectTime = 10 * time.Second
	// silence is how long a server may be silent.
	silence = 60 * time.Second
	// replyTime is how long a reply may take in all.
	replyTime = 5 * time.Minute
	// inMemory is the size up to which a message is held in memory, and past which in a file.
	inMemory = 1 << 20
)

// ended reports whether an error is the end of the input and no more.
func ended(err error) bool { return err == io.EOF }

// A spooled message can be sent more than once, and its length is known before it is sent.
type spooled struct {
	head []byte
	rest *os.File // what does not fit into head; it has no name
	size int64    // of both
}

// spool reads a message to its end.
func spool(f *os.File) (*spooled, exit.Code) {
	m := &spooled{}
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(f, inMemory))
	if err != nil {
		return nil, envelope.ReadError
	}
	m.head, m.size = buf.Bytes(), n
	if n < inMemory {
		return m, exit.OK
	}
	if m.rest, err = os.CreateTemp("", "qmqpc"); err != nil {
		return nil, envelope.WriteError
	}
	os.Remove(m.rest.Name())
	chunk := make([]byte, 64<<10)
	for {
		n, err := f.Read(chunk)
		if n > 0 {
			if _, err := m.rest.Write(chunk[:n]); err != nil {
				m.close()
				return nil, envelope.WriteError
			}
			m.size += int64(n)
		}
		if ended(err) {
			return m, exit.OK
		}
		if err != nil {
			m.close()
			return nil, envelope.ReadError
		}
	}
}

func (m *spooled) close() {
	if m.rest != nil {
		m.rest.Close()
	}
}

// parseServer reads a line of control/qmqpservers: an IP address, or one with a port behind it as 1.2.3.4:628 or
// [::1]:628.
func parseServer(s string) (netip.AddrPort, bool) {
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		s = s[1 : n-1]
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, port), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap, err == nil
}

// send gives the message to one server.
func (m *spooled) send(server netip.AddrPort, frames []byte) exit.Code {
	f, err := inet.Connect(netip.Addr{}, server, connectTime)
	if os.IsTimeout(err) {
		return envelope.ConnTimeout
	}
	if err != nil {
		return envelope.ConnRefused
	}
	defer f.Close()
	conn := sys.NewDialogue(f, f)
	conn.Timeout(silence)
	if m.write(conn, frames) != nil {
		return envelope.ConnFailed
	}
	conn.Within(time.Now().Add(replyTime))
	r, err := qmtp.ReadReply(bufio.NewReader(conn))
	if err != nil {
		return envelope.ConnFailed
	}
	switch r.Kind {
	case report.Success:
		return exit.OK
	case report.Failure:
		return envelope.Rejected
	}
	return envelope.NotNow
}

// write writes the whole request.
func (m *spooled) write(w io.Writer, frames []byte) error {
	inner := strconv.AppendInt(nil, m.size, 10)
	inner = append(inner, ':')
	total := int64(len(inner)) + m.size + 1 + int64(len(frames))
	b := strconv.AppendInt(nil, total, 10)
	b = append(append(b, ':'), inner...)
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(b)
	out.Write(m.head)
	if m.rest != nil {
		left := m.size - int64(len(m.head))
		if n, err := io.Copy(out, io.NewSectionReader(m.rest, 0, left)); err != nil || n != left {
			return io.ErrUnexpectedEOF
		}
	}
	out.WriteByte(',')
	out.Write(frames)
	out.WriteByte(',')
	return out.Flush()
}
