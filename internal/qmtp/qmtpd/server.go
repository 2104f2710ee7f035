// Package qmtpd is the server's side of QMTP and of QMQP; see qmail-qmtpd(8) and qmail-qmqpd(8).
package qmtpd

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"time"

	"qmail/internal/qmtp"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/sys"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
	"qmail/internal/text/tcpenv"
	"qmail/internal/tls/ucspi"
)

// sessionTime is how long a connection may last.
const sessionTime = time.Hour

// replyRoom is how many bytes of replies wait until they are sent, or until the client has to speak.
const replyRoom = 4096

// badProtocol is the exit code after a client that does not speak the protocol.
const badProtocol = exit.Perm

// A Server has what a session needs from its process.
type Server struct {
	Control control.Dir
	Env     []string
	Queue   *submit.Client
	Now     func() time.Time
	Log     *peerlog.Log // of the answers
	Room    func() bool  // whether there is room for a message; nil: there is
}

// A session is one connection.
type session struct {
	Server
	conn  *sys.Dialogue
	in    *bufio.Reader
	out   []byte // replies that wait until the client has to speak
	bad   error  // why they could not be sent
	limit control.RecipientLimit
}

func (s Server) open(in, out *os.File) *session {
	t := &session{Server: s, conn: sys.NewDialogue(in, out)}
	t.conn.Timeout(sessionTime)
	t.conn.Within(s.Now().Add(sessionTime))
	t.in = bufio.NewReaderSize(t, 16<<10)
	return t
}

// Read sends the replies that wait, and then waits for the client.
func (s *session) Read(b []byte) (int, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	return s.conn.Read(b)
}

// flush sends the replies that wait. Once it could not, nothing more is read: no message counts whose replies nobody
// gets.
func (s *session) flush() error {
	if len(s.out) > 0 && s.bad == nil {
		_, s.bad = s.conn.Write(s.out)
	}
	s.out = s.out[:0]
	return s.bad
}

// full returns the answer to a message for which there is no room, and nil where there is.
func (s *session) full() *report.Report {
	if s.Room == nil || s.Room() {
		return nil
	}
	return report.Defer("4.3.1", "the queue's disk is nearly full")
}

// logged returns an answer, after a line in the log.
func (s *session) logged(r *report.Report, wanted ...string) *report.Report {
	s.Log.Say(string(rune(r.Kind))+r.Error(), wanted...)
	return r
}

// lost returns the exit code for a client that is lost. One that went away, or never spoke the protocol, is no
// trouble of ours.
func lost(err error) exit.Code {
	switch err {
	case io.EOF, io.ErrUnexpectedEOF, qmtp.ErrLength:
		return exit.OK
	case qmtp.ErrProtocol:
		return badProtocol
	}
	return exit.Temp
}

// received is the line for a message that came by protocol; mark stands behind all that.
func (s *session) received(protocol, mark string) []byte {
	c := tcpenv.Read(s.Env)
	if d, on := ucspi.Described(s.Env); on {
		protocol += "S (" + d.Name() + ")"
	}
	return rfc822.ReceivedFrom(rfc822.Peer{
		RemoteHost: c.RemoteHost, RemoteInfo: c.RemoteInfo, RemoteIP: c.RemoteIP, LocalHost: c.Local(),
	}, protocol+mark, s.Now())
}

// commit queues a message and returns what there is to say about it.
func (s *session) commit(m *submit.Message) *report.Report {
	if err := m.Commit(); err != nil {
		return report.Of(err)
	}
	return report.Done("ok " + strconv.FormatInt(s.Now().Unix(), 10) + " qp " + strconv.FormatUint(m.QP(), 10))
}
