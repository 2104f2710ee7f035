// Package lmtp gives one message for one recipient to a server that speaks LMTP (RFC 2033), a mail store mostly.
package lmtp

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

// A Delivery is what a server is to get.
type Delivery struct {
	Name      string // ours
	Sender    string // empty for a bounce
	Recipient string
	Head      string // lines that go on top of the message
	Message   io.Reader
	// Early reports whether the server has said something, or hung up, that has not been read. Nil: nobody knows.
	Early func() bool
}

// What the server's replies may be: lines of a reply, and what they hold.
const (
	maxLine  = 4 << 10
	maxLines = 100
	// maxSaid is how much of a reply is told.
	maxSaid = 1 << 10
)

// The hundreds of reply codes.
const (
	consent = 2
	more    = 3
	refused = 5
)

// maxAddress is the longest address that a server is told.
const maxAddress = 1000

var errReply = errors.New("its reply makes no sense")

// A session is the dialogue with a server.
type session struct {
	conn io.ReadWriter
	in   *crlf.Reader
	said string // the last reply
	// what the server has offered
	pipelining, eightBit, utf8 bool
}

// Deliver has the server take the message, and returns its last words. They are a success only after a reply to
// the whole message. An error is a *report.Report: a failure where the server refuses the recipient or the message for
// good, else a deferral.
func Deliver(conn io.ReadWriter, d Delivery) (said string, err error) {
	if ascii.HasControl(d.Sender) || ascii.HasControl(d.Recipient) || d.Recipient == "" ||
		len(d.Sender) > maxAddress || len(d.Recipient) > maxAddress {
		return "", report.Defer("4.1.3", "this is not an address that LMTP can carry")
	}
	s := &session{conn: conn, in: crlf.NewReader(conn)}
	if err := s.deliver(d); err != nil {
		return "", err
	}
	return s.said, nil
}

func (s *session) deliver(d Delivery) error {
	if err := s.expect("", consent, "greets with "); err != nil {
		return err
	}
	if err := s.hello(d.Name); err != nil {
		return err
	}
	commands := s.commands(d)
	for i, c := range commands {
		if s.pipelining {
			c = ""
			if i == 0 {
				c = strings.Join(commands, "")
			}
		}
		kind, err := s.ask(c)
		switch {
		case err != nil:
			return err
		case i == 1 && kind == refused:
			return report.Fail("", "the server refuses the recipient: "+s.said)
		case i < 2 && kind != consent, i == 2 && kind != more:
			return report.Defer("", "the server says: "+s.said)
		}
	}
	return s.message(d)
}

// commands returns MAIL, RCPT and DATA.
func (s *session) commands(d Delivery) []string {
	mail := "MAIL FROM:<" + rfc822.Quote(d.Sender) + ">"
	if s.eightBit {
		mail += " BODY=8BITMIME"
	}
	if s.utf8 && (!isASCII(d.Sender) || !isASCII(d.Recipient)) {
		mail += " SMTPUTF8"
	}
	return []string{mail + "\r\n", "RCPT TO:<" + rfc822.Quote(d.Recipient) + ">\r\n", "DATA\r\n"}
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > 126 {
			return false
		}
	}
	return true
}

// message sends the text, and reads the one reply to it: one comes for each recipient that was accepted.
func (s *session) message(d Delivery) error {
	out := bufio.NewWriterSize(s.conn, 32<<10)
	e := crlf.NewEncoder(out)
	_, err := io.WriteString(e, d.Head)
	buf := make([]byte, 32<<10)
	for err == nil {
		n, rerr := d.Message.Read(buf)
		if _, err = e.Write(buf[:n]); err != nil {
			break
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return report.Defer("4.3.0", "unable to read the message")
		}
	}
	// A reply that comes before the end of the message is none to it.
	if s.in.Buffered() > 0 || err == nil && d.Early != nil && d.Early() {
		return report.Defer("4.5.0", "the server speaks out of turn")
	}
	if err == nil {
		if err = e.Close(); err == crlf.ErrPartialLine {
			if _, err = io.WriteString(e, "\n"); err == nil {
				err = e.Close()
			}
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return died(err)
	}
	switch kind, err := s.ask(""); {
	case err != nil:
		return err
	case kind == refused:
		return report.Fail("", "the server refuses the message: "+s.said)
	case kind != consent:
		return report.Defer("", "the server says: "+s.said)
	}
	io.WriteString(s.conn, "QUIT\r\n")
	return nil
}

// hello says who we are and reads what the server offers.
func (s *session) hello(name string) error {
	if name == "" || ascii.HasControl(name) || strings.Contains(name, " ") {
		name = "localhost"
	}
	return s.expect("LHLO "+name+"\r\n", consent, "says ")
}

// expect asks, and has anything but one kind of reply be a deferral.
func (s *session) expect(command string, want int, verb string) error {
	kind, err := s.ask(command)
	if err == nil && kind != want {
		return report.Defer("", "the server "+verb+s.said)
	}
	return err
}

// ask sends a command, if there is one, and reads a reply; it returns the hundreds of its code.
func (s *session) ask(command string) (kind int, err error) {
	if command != "" {
		if _, err := io.WriteString(s.conn, command); err != nil {
			return 0, died(err)
		}
	}
	code := ""
	for range maxLines {
		line, err := s.in.Line(maxLine)
		if err == crlf.ErrTooLong {
			return 0, died(errReply)
		}
		if err != nil {
			return 0, died(err)
		}
		if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) ||
			len(line) > 3 && line[3] != '-' && line[3] != ' ' || code != "" && code != string(line[:3]) {
			return 0, died(errReply)
		}
		if code == "" {
			code, s.said = string(line[:3]), string(line[:3])
		} else {
			s.offer(string(line[min(4, len(line)):]))
		}
		s.said = tell(s.said, line[3:])
		if len(line) == 3 || line[3] == ' ' {
			return int(code[0] - '0'), nil
		}
	}
	return 0, died(errReply)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// offer notes an extension. Only the reply to LHLO has any, and nothing that others say looks like one of these.
func (s *session) offer(line string) {
	word, _, _ := strings.Cut(line, " ")
	s.pipelining = s.pipelining || ascii.Equal(word, "PIPELINING")
	s.eightBit = s.eightBit || ascii.Equal(word, "8BITMIME")
	s.utf8 = s.utf8 || ascii.Equal(word, "SMTPUTF8")
}

// tell adds a line to what a server has said, as printable ASCII, up to a limit.
func tell(said string, line []byte) string {
	b := []byte(said)
	for i, c := range line {
		if len(b) >= maxSaid {
			break
		}
		if i == 0 || c < ' ' || c > 126 {
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}

// died is a connection that has ended, or is of no use any more.
func died(err error) error {
	if errors.Is(err, io.EOF) {
		return report.Defer("4.4.2", "the server has closed the connection")
	}
	return report.Defer("4.4.2", "connection died: "+sys.Reason(err))
}
