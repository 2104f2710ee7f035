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
	m.Write(s.received("QMQP"))
	_, err = pour(m, qmtp.PlainText(text), 0)
	if err == nil {
		err = f.End()
	}
	sender, allOK := "", false
	if err == nil {
		sender, allOK, err = f.Address()
	}
	m.From(sender)
	for err == nil && f.Left() > 0 {
		var addr string
		var ok bool
		if addr, ok, err = f.Address(); ok {
			m.To(addr)
		}
		allOK = allOK && ok
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
	if !allOK {
		answer = report.Fail("5.1.3", "sorry, I can't accept addresses like that")
	}
	s.out = qmtp.AppendReply(s.out, answer)
	return nil
}
