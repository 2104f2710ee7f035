package pop3

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
	"time"

	"qmail/internal/local/maildir"
)

// A message is one message of the mailbox.
type message struct {
	maildir.Entry
	deleted bool
}

// A Mailbox has what a session after the login needs from its process.
type Mailbox struct {
	Dir string // the Maildir
	Now func() time.Time
}

// Serve holds one session. Nothing in the Maildir changes unless the client says QUIT.
func (m Mailbox) Serve(in, out *os.File) {
	// A user's programs may ask for a lot, and that for long.
	d := newDialogue(in, out, limits{errors: 1000, time: 24 * time.Hour})
	defer d.flush()
	fi, err := os.Stat(m.Dir)
	if m.Dir == "" || err != nil || !fi.IsDir() {
		d.no("this user has no $HOME/Maildir")
		return
	}
	maildir.CleanTmp(m.Dir, m.Now())
	list, err := maildir.Scan(m.Dir)
	if err != nil {
		d.no("unable to scan $HOME/Maildir")
		return
	}
	s := &session{dialogue: d, dir: m.Dir, list: settled(list, m.Now())}
	d.ok("")
	for {
		verb, arg, err := d.command(m.Now())
		if err != nil || !s.command(verb, arg) {
			return
		}
	}
}

// settled leaves out what was delivered in this very second: more may come in it, and where that will stand is not
// known yet. It is there the next time.
func settled(list []maildir.Entry, now time.Time) []message {
	all := make([]message, 0, len(list))
	for _, e := range list {
		if e.Time.Unix() != now.Unix() {
			all = append(all, message{Entry: e})
		}
	}
	return all
}

// A session is one mailbox as the client sees it.
type session struct {
	*dialogue
	dir  string
	list []message
	last int // the highest number that was deleted
}

// command does one command; it returns false after the last.
func (s *session) command(verb string, arg []byte) bool {
	switch verb {
	case "quit":
		s.quit()
		return false
	case "stat":
		var sum int64
		for _, m := range s.list {
			if !m.deleted {
				sum += m.Size
			}
		}
		s.ok(strconv.Itoa(len(s.list)) + " " + strconv.FormatInt(sum, 10))
	case "list":
		s.each(arg, func(m message) string { return strconv.FormatInt(m.Size, 10) })
	case "uidl":
		s.each(arg, uidl)
	case "dele":
		if i, ok := s.number(arg); ok {
			s.list[i].deleted = true
			s.last = max(s.last, i+1)
			s.ok("")
		}
	case "retr", "top":
		if i, ok := s.number(arg); ok {
			return s.retrieve(s.list[i], lines(arg))
		}
	case "rset":
		for i := range s.list {
			s.list[i].deleted = false
		}
		s.last = 0
		s.ok("")
	case "last":
		s.ok(strconv.Itoa(s.last))
	case "noop":
		s.ok("")
	default:
		s.no("unimplemented")
	}
	return true
}

// uidl returns a message's unique name: what no reader of the Maildir changes of its file's name.
func uidl(m message) string {
	for i := 0; i < len(m.Name); i++ {
		if m.Name[i] == ':' {
			return m.Name[:i]
		}
	}
	return m.Name
}

// each answers for the message of arg, or for all.
func (s *session) each(arg []byte, what func(message) string) {
	if len(arg) > 0 {
		if i, ok := s.number(arg); ok {
			s.ok(strconv.Itoa(i+1) + " " + what(s.list[i]))
		}
		return
	}
	s.ok("")
	for i, m := range s.list {
		if !m.deleted {
			s.say(strconv.Itoa(i+1)+" ", what(m))
		}
	}
	s.say(".", "")
}

// number returns the index of the message that arg begins with the number of; where there is none it says so.
func (s *session) number(arg []byte) (i int, ok bool) {
	n, digits := leading(arg)
	switch {
	case digits == 0:
		s.no("syntax error")
	case n == 0:
		s.no("messages are counted from 1")
	case n > len(s.list):
		s.no("not that many messages")
	case s.list[n-1].deleted:
		s.no("already deleted")
	default:
		return n - 1, true
	}
	return 0, false
}

// leading reads the decimal digits that b begins with.
func leading(b []byte) (n, digits int) {
	const limit = 1 << 30
	for ; digits < len(b) && b[digits] >= '0' && b[digits] <= '9'; digits++ {
		n = min(limit, n*10+int(b[digits]-'0'))
	}
	return n, digits
}

// lines returns how many lines of the body the second number of arg asks for, or -1 for all.
func lines(arg []byte) int {
	_, digits := leading(arg)
	n, digits := leading(bytes.TrimLeft(arg[digits:], " "))
	if digits == 0 {
		return -1
	}
	return n
}

// retrieve sends a message, its header and at most limit lines of its body, all of them if limit is less than 0. It
// returns false where the session cannot go on, as the client would take what is missing for the message's end.
func (s *session) retrieve(m message, limit int) bool {
	f, err := os.Open(s.dir + "/" + m.Path)
	if err != nil {
		s.no("unable to open that message")
		return true
	}
	defer f.Close()
	s.ok("")
	r := bufio.NewReaderSize(f, 16<<10)
	header, start := true, true
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			if !start {
				s.say("", "")
			}
			break
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return false
		}
		if start && !header && limit >= 0 {
			if limit == 0 {
				break
			}
			limit--
		}
		whole := line[len(line)-1] == '\n'
		if whole {
			line = line[:len(line)-1]
		}
		if start && whole && len(line) == 0 {
			header = false
		}
		if start && len(line) > 0 && line[0] == '.' {
			s.out = append(s.out, '.')
		}
		s.out = append(s.out, line...)
		if whole || err == io.EOF {
			s.out = append(s.out, '\r', '\n')
		}
		start = whole
		if len(s.out) > replyRoom && s.flush() != nil {
			return false
		}
		if err == io.EOF {
			break
		}
	}
	s.say("", "")
	s.say(".", "")
	return true
}

// quit removes the deleted messages and moves the others to cur.
func (s *session) quit() {
	trouble := false
	for _, m := range s.list {
		file := s.dir + "/" + m.Path
		switch {
		case m.deleted:
			if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
				trouble = true
			}
		case m.Path == "new/"+m.Name:
			os.Rename(file, s.dir+"/cur/"+m.Name+":2,")
		}
	}
	if trouble {
		s.no("unable to unlink all deleted messages")
		return
	}
	s.ok("")
}
