package smtpd

import (
	"bytes"
	"io"
	"strconv"

	"qmail/internal/submit"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

// maxHops is how many Received and Delivered-To fields make a loop.
const maxHops = 100

func (s *session) data() {
	if !s.mailSeen {
		s.say("503 MAIL first (#5.5.1)")
		return
	}
	if len(s.recipients) == 0 {
		s.say("503 RCPT first (#5.5.1)")
		return
	}
	s.mailSeen = false
	a, ok := s.consult(AtData, s.sender, "", true)
	if !ok || !s.admits(AtData, s.sender, "") {
		return
	}
	queue, filter := s.server.Queue, s.filter
	if s.server.Submission != nil || s.relayClient || s.trusted() {
		filter = s.userFilter
	}
	if filter != "" {
		queue = queue.Through(filter)
	}
	m, err := queue.Open()
	if err != nil {
		s.unqueued(err)
		return
	}
	s.say("354 go ahead")
	if s.over { // the client is gone
		m.Abort()
		return
	}
	now := s.server.Now()
	s.wish.tell(m)
	m.Write(rfc822.ReceivedFrom(s.trace(), s.protocol(), now))
	m.Write(a.Header)
	s.conn.Within(now.Add(maxMessageTime))
	text, letter := s.letter(m)
	var id rfc822.Identity
	hops, size, err := s.receive(text, &id)
	refusal := ""
	if err == nil && letter != nil {
		refusal = letter.Close()
	}
	if err != nil {
		m.Abort()
		s.lost(err)
		return
	}
	tooBig := s.dataBytes > 0 && size > s.dataBytes
	if hops >= maxHops || tooBig || refusal != "" {
		m.Fail()
	}
	m.From(s.sender)
	rest := s.recipients
	for n := range s.count {
		i := bytes.IndexByte(rest, 0)
		if m.ToOnce(string(rest[:i])) {
			m.AskTo(s.wish.to[n])
		}
		rest = rest[i+1:]
	}
	err = m.Commit()
	now = s.server.Now()
	s.since = now // what a message takes is not the client's idling
	switch {
	case err == nil:
		s.accepted(now)
		s.taken++
		reply := "250 ok " + strconv.FormatInt(now.Unix(), 10) + " qp " + strconv.FormatUint(m.QP(), 10)
		first, _, _ := bytes.Cut(s.recipients, []byte{0})
		s.server.Log.Say(reply, "from", s.sender, "to", string(first), "recipients", strconv.Itoa(s.count),
			"bytes", strconv.FormatInt(size, 10), "helo", s.helo, "user", s.user, "id", id.ID)
		s.say(reply)
	case hops >= maxHops:
		s.refuse("554 too many hops, this message is looping (#5.4.6)", "from", s.sender)
	case tooBig:
		s.refuse("552 sorry, that message size exceeds my databytes limit (#5.3.4)", "from", s.sender)
	case refusal != "":
		s.refuse(refusal, "user", s.user, "from", s.sender)
	default:
		s.unqueued(err)
	}
}

// trace is what Received says of the client.
func (s *session) trace() rfc822.Peer {
	p := rfc822.Peer{LocalHost: s.peer.Local()}
	if sub := s.server.Submission; sub == nil || !sub.HideAddress {
		p.RemoteHost, p.RemoteInfo, p.RemoteIP = s.peer.RemoteHost, s.peer.RemoteInfo, s.peer.RemoteIP
		p.Helo, p.Greeted = s.helo, s.greeted
	}
	return p
}

// letter returns where the text of a message goes: to m, or before that to what completes its header.
func (s *session) letter(m *submit.Message) (io.Writer, Letter) {
	sub := s.server.Submission
	if sub == nil {
		return m, nil
	}
	user := s.user
	l := sub.Letter(s.sender, func(a string) (bool, error) { return sub.May(user, a) }, m)
	return l, l
}

// receive hands the message on to m, up to the byte that is too many, and reads it to its end; id is for the log. An
// error means that the client is lost.
func (s *session) receive(m io.Writer, id *rfc822.Identity) (hops int, size int64, err error) {
	d := s.in.Data()
	d.LineStart = func(first []byte) bool {
		if len(first) == 1 {
			return false // a CR alone: the header ends
		}
		if isHop(first) {
			hops++
		}
		return true
	}
	for {
		piece, err := d.Next()
		if err == io.EOF {
			return hops, size, nil
		}
		if err != nil {
			return hops, size, err
		}
		size += int64(len(piece))
		if s.dataBytes == 0 || size <= s.dataBytes {
			if s.server.Log != nil {
				id.Write(piece)
			}
			m.Write(piece)
		}
	}
}

// isHop reports whether a line counts as a hop. What begins like such a field counts, with a colon or without.
func isHop(line []byte) bool {
	return hasPrefix(line, "received") || hasPrefix(line, "delivered")
}

func hasPrefix(line []byte, lower string) bool {
	if len(line) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if ascii.LowerByte(line[i]) != lower[i] {
			return false
		}
	}
	return true
}

// unqueued says why a message was not queued.
func (s *session) unqueued(err error) {
	r := report.Of(err)
	code := "451 "
	if r.Kind == report.Failure {
		code = "554 "
	}
	s.refuse(code+r.Error(), "from", s.sender)
}
