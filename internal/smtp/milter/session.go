package milter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"

	"qmail/internal/submit/filter"
	"qmail/internal/text/crlf"
	"qmail/internal/text/report"
)

// An outcome is what one of them says of a message.
type outcome struct {
	mail       *Mail // as it has changed it
	refusal    *report.Report
	discard    bool
	quarantine string // why it is to be kept apart
}

// A session is a conversation about one message.
type session struct {
	r              *bufio.Reader
	w              *bufio.Writer
	mail           *Mail // its own copy
	out            outcome
	actions, steps uint32
	macros         map[byte][]string // asked for, by the command they go before
	answers, added int
	skip           bool // it wants no more of the body
	body           *bodyWriter
}

// talk has a milter look at a message, over a connection with a deadline.
func talk(conn io.ReadWriter, m *Mail) (outcome, error) {
	s := &session{r: bufio.NewReader(conn), w: bufio.NewWriterSize(conn, 16<<10), mail: m.clone()}
	err := s.talk()
	if s.body != nil {
		err = errors.Join(err, s.body.err)
		if err != nil || s.out.refusal != nil || s.out.discard {
			s.body.spool.Close()
		} else {
			s.mail.other, s.mail.blank = s.body.spool, "\n"
		}
	}
	s.out.mail = s.mail
	return s.out, err
}

func (s *session) talk() error {
	if err := s.negotiate(); err != nil {
		return err
	}
	for _, step := range []func() (bool, error){s.client, s.envelope, s.header, s.text} {
		if done, err := step(); done || err != nil {
			if err == nil {
				s.send('Q', nil)
				s.w.Flush() // it may have gone
			}
			return err
		}
	}
	return errProtocol
}

func (s *session) negotiate() error {
	offer := binary.BigEndian.AppendUint32(nil, version)
	offer = binary.BigEndian.AppendUint32(offer, mayAll)
	s.send('O', binary.BigEndian.AppendUint32(offer, stepsAll))
	code, b, err := s.read()
	if err != nil {
		return err
	}
	if code != 'O' || len(b) < 12 {
		return errProtocol
	}
	if v := binary.BigEndian.Uint32(b); v < 2 || v > version {
		return errProtocol
	}
	s.actions, s.steps = binary.BigEndian.Uint32(b[4:])&mayAll, binary.BigEndian.Uint32(b[8:])&stepsAll
	s.macros = map[byte][]string{}
	for b = b[12:]; len(b) > 4; {
		stage := binary.BigEndian.Uint32(b)
		end := 4 + strings.IndexByte(string(b[4:]), 0)
		if end < 4 {
			return errProtocol
		}
		if commands := "CHMRTEN"; stage < uint32(len(commands)) {
			s.macros[commands[stage]] = words(strings.ReplaceAll(string(b[4:end]), ",", " "))
		}
		b = b[end+1:]
	}
	return nil
}

// send writes a packet. An error shows with the next read.
func (s *session) send(code byte, data []byte) { s.w.Write(appendPacket(nil, code, data)) }

func (s *session) read() (byte, []byte, error) {
	if err := s.w.Flush(); err != nil {
		return 0, nil, err
	}
	if s.answers++; s.answers > maxAnswers {
		return 0, nil, errProtocol
	}
	return readPacket(s.r)
}

// step tells a milter of one thing, unless it does not want to know, and waits for what it says, unless it does not.
func (s *session) step(code byte, no, silent uint32, macros, data []byte) (done bool, err error) {
	if s.steps&no != 0 {
		return false, nil
	}
	if len(macros) > 0 {
		s.send('D', append([]byte{code}, macros...))
	}
	s.send(code, data)
	if s.steps&silent != 0 {
		return false, nil
	}
	return s.answer(code)
}

// answer reads what a milter says of the message at this step; done: that is all.
func (s *session) answer(at byte) (done bool, err error) {
	for {
		code, data, err := s.read()
		if err != nil {
			return false, err
		}
		switch code {
		case 'p':
			continue
		case 'c':
			return at == 'E', nil
		case 'a':
			return true, nil
		case 'd':
			s.out.discard = true
			return true, nil
		case 'r':
			s.out.refusal = report.Fail("5.7.1", "sorry, refused by a content filter")
			return true, nil
		case 't', 'f', '4':
			s.out.refusal = report.Defer("4.7.1", "sorry, a content filter asks you to come again")
			return true, nil
		case 'y':
			s.out.refusal = reply(data)
			if s.out.refusal == nil {
				return false, errProtocol
			}
			return true, nil
		case 's':
			if at != 'B' || s.steps&maySkip == 0 {
				return false, errProtocol
			}
			s.skip = true
			return false, nil
		}
		if at != 'E' || !s.change(code, data) {
			return false, errProtocol
		}
	}
}

// reply reads a reply of SMTP that a milter has chosen; nil: it is none that refuses.
func reply(b []byte) *report.Report {
	text, _, _ := strings.Cut(string(b), "\x00")
	r := &report.Report{Kind: report.Failure}
	var said []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r ")
		if len(line) < 3 || line[0] != '4' && line[0] != '5' || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return nil
		}
		if line[0] == '4' {
			r.Kind = report.Deferral
		}
		line = line[min(4, len(line)):]
		if code, rest, _ := strings.Cut(line, " "); isStatus(code) {
			r.Code, line = code, rest
		}
		said = append(said, line)
	}
	if (r.Kind == report.Deferral) != strings.HasPrefix(r.Code, "4.") {
		r.Code = map[report.Kind]string{report.Failure: "5.7.1", report.Deferral: "4.7.1"}[r.Kind]
	}
	if r.Code == "" {
		r.Code = "5.7.1"
	}
	r.Text = printable(strings.Join(said, " "), 400)
	return r
}

// isStatus reports whether s is a status code of RFC 3463.
func isStatus(s string) bool {
	return len(s) >= 5 && len(s) <= 9 && (s[0] == '4' || s[0] == '5') && s[1] == '.' &&
		strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") == 2 && s[len(s)-1] != '.'
}

// printable returns at most n bytes of s, with question marks for what is not printable.
func printable(s string, n int) string {
	b := []byte(s[:min(n, len(s))])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func (s *session) client() (bool, error) {
	c := s.mail.Client
	ip, family := c.IP, byte('4')
	if !ip.IsValid() && c.By == "" {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // a program here
	}
	b := appendText(nil, hostOf(s.mail))
	switch {
	case !ip.IsValid():
		b = append(b, 'U')
	case ip.Is6():
		family = '6'
		fallthrough
	default:
		b = append(b, family, 0, 0)
		b = appendText(b, ip.String())
	}
	if done, err := s.step('C', noConnect, silentConnect, s.named('C'), b); done || err != nil {
		return done, err
	}
	helo := c.Helo
	if helo == "" {
		helo = "localhost"
	}
	return s.step('H', noHelo, silentHelo, s.named('H'), appendText(nil, helo))
}

func hostOf(m *Mail) string {
	switch {
	case m.Client.Host != "":
		return m.Client.Host
	case m.Client.IP.IsValid():
		return "[" + m.Client.IP.String() + "]"
	case m.Client.By == "":
		return "localhost"
	}
	return "unknown"
}

func (s *session) envelope() (bool, error) {
	done, err := s.step('M', noMail, silentMail, s.named('M'), appendText(nil, "<"+s.mail.Sender+">"))
	for _, to := range s.mail.To {
		if done || err != nil {
			return done, err
		}
		done, err = s.step('R', noRecipients, silentRecipient, appendText(nil, "{rcpt_addr}", to),
			appendText(nil, "<"+to+">"))
	}
	if done || err != nil {
		return done, err
	}
	return s.step('T', noData, silentData, s.named('T'), nil)
}

func (s *session) header() (bool, error) {
	for _, f := range s.mail.fields {
		if f.name == "" {
			continue
		}
		_, value, _ := strings.Cut(strings.TrimSuffix(f.text, "\n"), ":")
		if s.steps&leadingSpace == 0 {
			value = strings.TrimPrefix(value, " ")
		}
		if done, err := s.step('L', noFields, silentField, nil, appendText(nil, f.name, value)); done || err != nil {
			return done, err
		}
	}
	return s.step('N', noEndOfHeader, silentEndOfHeader, s.named('N'), nil)
}

// errEnough ends a body before its end.
var errEnough = errors.New("enough")

// text sends the body, and waits for the verdict.
func (s *session) text() (done bool, err error) {
	if s.steps&noBody == 0 {
		c := &chunks{s: s}
		_, err := io.Copy(crlf.NewLines(c), s.mail.bodyReader())
		if err == nil {
			err = c.flush()
		}
		if err != nil && err != errEnough {
			return false, err
		}
		if c.done {
			return true, nil
		}
	}
	return s.step('E', 0, 0, s.named('E'), nil)
}

// chunks cuts a body in packets.
type chunks struct {
	s    *session
	b    []byte
	done bool
}

func (c *chunks) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), chunk-len(c.b))
		c.b, p = append(c.b, p[:k]...), p[k:]
		if len(c.b) == chunk {
			if err := c.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (c *chunks) flush() (err error) {
	if len(c.b) == 0 {
		return nil
	}
	c.done, err = c.s.step('B', noBody, silentBody, nil, c.b)
	c.b = c.b[:0]
	if err == nil && (c.done || c.s.skip) {
		return errEnough
	}
	return err
}

// bodyWriter takes a body in lines that end in CRLF.
type bodyWriter struct {
	spool *filter.Spool
	cr    bool
	room  int64
	err   error
}

func (w *bodyWriter) write(b []byte) bool {
	out := make([]byte, 0, len(b)+1)
	for _, c := range b {
		if w.cr && c != '\n' {
			out = append(out, '\r')
		}
		if w.cr = c == '\r'; !w.cr {
			out = append(out, c)
		}
	}
	if w.room -= int64(len(out)); w.room < 0 {
		return false
	}
	_, w.err = w.spool.Write(out)
	return w.err == nil
}
