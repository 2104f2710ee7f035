package qmtpd

import (
	"io"
	"os"

	"qmail/internal/qmtp"
	"qmail/internal/site/rcpthosts"
	"qmail/internal/submit"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/tcpenv"
)

// A qmtpSession has what the messages of a QMTP connection share.
type qmtpSession struct {
	*session
	dataBytes   int64 // 0: no limit
	hosts       *rcpthosts.Hosts
	relay       string
	relayClient bool
}

// QMTP serves one QMTP connection and returns the exit code.
func (s Server) QMTP(in, out *os.File) exit.Code {
	q := &qmtpSession{session: s.open(in, out)}
	n, err := s.Control.Int("databytes", 0)
	if err != nil {
		return exit.Temp
	}
	q.dataBytes = tcpenv.DataBytes(s.Env, n)
	if q.hosts, err = rcpthosts.Open(s.Control); err != nil {
		return exit.Temp
	}
	defer q.hosts.Close()
	q.relay, q.relayClient = tcpenv.Get(s.Env, "RELAYCLIENT")
	for {
		if err := q.message(); err != nil {
			q.flush()
			return lost(err)
		}
	}
}

// message receives one message and answers for each recipient.
func (q *qmtpSession) message() error {
	f := qmtp.Connection(q.in)
	n, err := f.Len(qmtp.MaxMessage)
	if err != nil {
		return err
	}
	if n == 0 {
		return qmtp.ErrProtocol
	}
	m, err := q.Queue.Open()
	if err != nil {
		return err
	}
	size, sender, senderOK, err := q.content(f, n, m)
	var verdicts []verdict
	any := false
	if err == nil {
		m.From(sender)
		verdicts, any, err = q.recipients(f, m)
	}
	if err != nil {
		m.Abort()
		return err
	}
	tooBig := q.dataBytes > 0 && size > q.dataBytes
	if !senderOK || tooBig || !any {
		m.Fail()
	}
	answer := q.commit(m)
	if !senderOK {
		answer = report.Fail("5.1.7", "unacceptable sender")
	}
	if tooBig {
		answer = report.Fail("5.3.4", "sorry, that message size exceeds my databytes limit")
	}
	foreign := report.Fail("5.7.1", "sorry, that domain isn't in my list of allowed rcpthosts")
	odd := report.Fail("5.1.3", "sorry, I can't handle that recipient")
	for _, v := range verdicts {
		r := answer
		switch v {
		case isForeign:
			r = foreign
		case isOdd:
			r = odd
		}
		q.out = qmtp.AppendReply(q.out, r)
		if len(q.out) > replyRoom {
			if err := q.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// content receives the message, of n bytes, and its sender.
func (q *qmtpSession) content(f *qmtp.Frame, n int64, m *submit.Message) (
	size int64, sender string, ok bool, err error) {
	in, err := f.Inner(n)
	if err != nil {
		return 0, "", false, err
	}
	text, err := qmtp.MarkedText(in)
	if err != nil {
		return 0, "", false, err
	}
	m.Write(q.received("QMTP"))
	if size, err = pour(m, text, q.dataBytes); err != nil {
		return size, "", false, err
	}
	if err := f.End(); err != nil {
		return size, "", false, err
	}
	sender, ok, err = f.Address()
	return size, sender, ok, err
}

// pour hands a message on to m, up to limit bytes unless that is 0, and reads it to its end.
func pour(m *submit.Message, text *qmtp.Text, limit int64) (size int64, err error) {
	for {
		piece, err := text.Next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		size += int64(len(piece))
		if limit == 0 || size <= limit {
			m.Write(piece)
		}
	}
}

// A verdict is what becomes of a recipient.
type verdict byte

const (
	isTaken   verdict = iota // answered as the message is
	isForeign                // its domain is not in rcpthosts
	isOdd                    // too long, or with a NUL
)

// recipients hands the recipients on to m. It returns the verdict for each, and whether any is taken.
func (q *qmtpSession) recipients(f *qmtp.Frame, m *submit.Message) (verdicts []verdict, any bool, err error) {
	n, err := f.Len(qmtp.MaxRecipients)
	if err != nil {
		return nil, false, unexpected(err)
	}
	in, err := f.Inner(n)
	if err != nil {
		return nil, false, err
	}
	for in.Left() > 0 {
		addr, ok, err := in.Address()
		if err != nil {
			return nil, false, err
		}
		v := isTaken
		if !ok || len(addr)+len(q.relay) >= qmtp.MaxAddress {
			v = isOdd
		} else if !q.relayClient {
			accepted, err := q.hosts.Accepts(addr)
			if err != nil {
				return nil, false, err
			}
			if !accepted {
				v = isForeign
			}
		}
		if v == isTaken {
			m.To(addr + q.relay)
			any = true
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, any, f.End()
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
