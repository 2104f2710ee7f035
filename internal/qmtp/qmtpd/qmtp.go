package qmtpd

import (
	"io"
	"os"

	"qmail/internal/qmtp"
	"qmail/internal/site/rcpthosts"
	"qmail/internal/submit"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
	"qmail/internal/text/tcpenv"
)

// A qmtpSession has what the messages of a QMTP connection share.
type qmtpSession struct {
	*session
	dataBytes   int64 // 0: no limit
	hosts       *rcpthosts.Hosts
	relay       string
	relayClient bool
	filtered    bool
}

// QMTP serves one QMTP connection and returns the exit code.
func (s Server) QMTP(in, out *os.File) exit.Code {
	q := &qmtpSession{session: s.open(in, out)}
	n, err := s.Control.Int("databytes")
	if err != nil {
		return exit.Temp
	}
	if q.limit, err = s.Control.StrangersRecipients(); err != nil {
		return exit.Temp
	}
	q.dataBytes = tcpenv.DataBytes(s.Env, n)
	if q.hosts, err = rcpthosts.Open(s.Control); err != nil {
		return exit.Temp
	}
	defer q.hosts.Close()
	q.relay, q.relayClient = environ.Get(s.Env, "RELAYCLIENT")
	filters, err := s.Control.Filters()
	if err != nil {
		return exit.Temp
	}
	filter := filters.After("", q.relayClient)
	if q.filtered = filter != ""; q.filtered {
		q.Queue = q.Queue.Through(filter)
	}
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
	full := q.full()
	if full != nil {
		m.Fail()
	}
	size, sender, senderOK, err := q.content(f, n, m)
	tooBig := q.dataBytes > 0 && size > q.dataBytes
	if !senderOK || tooBig {
		m.Fail()
	}
	var list recipients
	if err == nil {
		m.From(sender)
		list, err = q.recipients(f, m)
	}
	if err != nil {
		m.Abort()
		return err
	}
	if list.taken == 0 {
		m.Fail()
	}
	answer := q.commit(m)
	switch {
	case tooBig:
		answer = report.Fail("5.3.4", "sorry, that message size exceeds my databytes limit")
	case !senderOK:
		answer = report.Fail("5.1.7", "unacceptable sender")
	case full != nil:
		answer = full
	}
	return q.answer(list, answer, sender)
}

// answer answers for each recipient; answer is for those that were taken.
func (q *qmtpSession) answer(list recipients, answer *report.Report, sender string) error {
	foreign := report.Fail("5.7.1", "sorry, that domain isn't in my list of allowed rcpthosts")
	odd := report.Fail("5.1.3", "sorry, I can't handle that recipient")
	late := report.Defer("4.5.3", "too many recipients")
	if list.taken > 0 {
		q.logged(answer, "from", sender)
	}
	if list.late > 0 {
		q.logged(late, "from", sender)
	}
	for i := range len(list.verdicts) + list.late {
		r := late
		if i < len(list.verdicts) {
			switch list.verdicts[i] {
			case isTaken:
				r = answer
			case isForeign:
				r = foreign
			case isOdd:
				r = odd
			}
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
	mark := ""
	if q.relayClient && (q.filtered || q.Control.Signs()) {
		mark = " " + rfc822.RelayClient
	}
	m.Write(q.received("QMTP", mark))
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
	isOdd                    // too long, or with a control byte
)

// recipients are those of one message.
type recipients struct {
	verdicts []verdict
	taken    int // how many verdicts are isTaken
	late     int // how many came when there were too many already, behind those with a verdict
}

// recipients hands the recipients on to m.
func (q *qmtpSession) recipients(f *qmtp.Frame, m *submit.Message) (list recipients, err error) {
	n, err := f.Len(qmtp.MaxRecipients)
	if err != nil {
		return list, unexpected(err)
	}
	in, err := f.Inner(n)
	if err != nil {
		return list, err
	}
	size := 0
	for in.Left() > 0 {
		addr, ok, err := in.Address()
		if err != nil {
			return list, err
		}
		size += len(addr) + len(q.relay) + 1
		if list.late > 0 || !q.limit.Allows(len(list.verdicts)+1, size) {
			list.late++
			continue
		}
		v, err := q.verdict(addr, ok)
		if err != nil {
			return list, err
		}
		if v == isTaken {
			m.ToOnce(addr + q.relay)
			list.taken++
		} else if list.taken == len(list.verdicts) { // one line in the log for all
			q.Log.Say("Dsorry, I don't take that recipient", "to", addr)
		}
		list.verdicts = append(list.verdicts, v)
	}
	return list, f.End()
}

// verdict says what becomes of a recipient; ok is what Frame.Address said of it.
func (q *qmtpSession) verdict(addr string, ok bool) (verdict, error) {
	if !ok || len(addr)+len(q.relay) >= qmtp.MaxAddress {
		return isOdd, nil
	}
	if q.relayClient {
		return isTaken, nil
	}
	accepted, err := q.hosts.Accepts(addr)
	if err == nil && !accepted {
		return isForeign, nil
	}
	return isTaken, err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
