package qmtpd

import (
	"os"

	"qmail/internal/qmtp"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// QMQP receives one message by QMQP and returns the exit code. Whoever can connect may send to anyone: it is for
// networks that let trusted hosts alone in.
func (s Server) QMQP(in, out *os.File) exit.Code {
	t := s.open(in, out)
	// Who may use it may send to anyone, and cannot send the rest of a list by itself: only control/maxrcpt bounds that.
	var err error
	if t.limit, err = s.Control.FriendsRecipients(); err != nil {
		return exit.Temp
	}
	if err := t.relay(); err != nil {
		return lost(err)
	}
	if t.flush() != nil {
		return exit.Temp
	}
	return exit.OK
}

// relay receives the message and puts the answer into t.out.
func (s *session) relay() error {
	conn := qmtp.Connection(s.in)
	n, err := conn.Len(qmtp.MaxMessage)
	if err != nil {
		return err
	}
	f, err := conn.Inner(n)
	if err != nil {
		return err
	}
	n, err = f.Len(qmtp.MaxMessage)
	if err != nil {
		return unexpected(err)
	}
	text, err := f.Inner(n)
	if err != nil {
		return err
	}
	m, err := s.Queue.Open()
	if err != nil {
		return err
	}
	full := s.full()
	if full != nil {
		m.Fail()
	}
	m.Write(s.received("QMQP", ""))
	_, err = pour(m, qmtp.PlainText(text), 0)
	if err == nil {
		err = f.End()
	}
	sender, allOK := "", false
	if err == nil {
		sender, allOK, err = f.Address()
	}
	m.From(sender)
	count, size := 0, 0
	for err == nil && f.Left() > 0 {
		var addr string
		var ok bool
		addr, ok, err = f.Address()
		count, size, allOK = count+1, size+len(addr)+1, allOK && ok
		if !allOK || !s.limit.Allows(count, size) {
			m.Fail()
		}
		m.ToOnce(addr)
	}
	if err == nil {
		err = conn.End()
	}
	if err != nil {
		m.Abort()
		return err
	}
	if !allOK {
		m.Fail()
	}
	answer := s.commit(m)
	switch {
	case !allOK:
		answer = report.Fail("5.1.3", "sorry, I can't accept addresses like that")
	case !s.limit.Allows(count, size):
		answer = report.Defer("4.5.3", "too many recipients")
	case full != nil:
		answer = full
	}
	s.out = qmtp.AppendReply(s.out, s.logged(answer, "from", sender))
	return nil
}
