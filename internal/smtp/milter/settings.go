package milter

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/submit/filter"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/text/report"
)

const (
	// usualTime is how long one may take for a message, and maxTime how long all may: a client waits for ten minutes.
	usualTime = 120 * time.Second
	maxTime   = 9 * time.Minute
	// connectTime is how long it may take to be there.
	connectTime = 10 * time.Second
)

// A Server is a line of control/milters.
type Server struct {
	Address    string // as it stands there
	path       string // of a socket; empty: at is it
	at         netip.AddrPort
	rspamd     bool
	accept     bool // mail passes where it does not answer
	strangers  bool // it does not see mail of clients who are known
	time       time.Duration
	quarantine string // where that goes
}

// Read reads control/milters.
func Read(dir control.Dir) (list []Server, err error) {
	lines, _, err := dir.List("milters")
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		s, ok := parse(l)
		if !ok {
			return nil, errors.New("control/milters: " + l)
		}
		list = append(list, s)
	}
	return list, nil
}

const blanks = " \t\r\n"

// words splits a text at blanks.
func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(blanks, c) })
}

// parse reads a line: where it is, and words that say how it is asked.
func parse(line string) (s Server, ok bool) {
	list := words(line)
	if len(list) == 0 {
		return s, false
	}
	s = Server{Address: list[0], time: usualTime}
	kind, rest, _ := strings.Cut(list[0], ":")
	switch s.rspamd = kind == "rspamd"; {
	case strings.HasPrefix(rest, "/") && kind != "inet":
		s.path = rest
	case kind == "inet" || s.rspamd:
		host, port, found := strings.Cut(rest, "localhost:")
		if found && host == "" {
			rest = "127.0.0.1:" + port
		}
		var err error
		if s.at, err = netip.ParseAddrPort(rest); err != nil {
			return s, false
		}
	default:
		return s, false
	}
	if kind != "unix" && kind != "inet" && !s.rspamd {
		return s, false
	}
	for _, w := range list[1:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "accept":
			s.accept = true
		case "strangers":
			s.strangers = true
		case "timeout":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return s, false
			}
			s.time = min(time.Duration(n)*time.Second, maxTime)
		case "quarantine":
			a, ok := address(value)
			if !ok || a == "" {
				return s, false
			}
			s.quarantine = a
		default:
			return s, false
		}
	}
	return s, true
}

// dial connects; the connection ends at a time.
func (s Server) dial(end time.Time) (f *os.File, err error) {
	d := min(time.Until(end), connectTime)
	if s.path != "" {
		f, err = sys.DialLocal(s.path, d)
	} else {
		f, err = inet.Connect(netip.Addr{}, s.at, d)
	}
	if err == nil {
		if err = f.SetDeadline(end); err != nil {
			f.Close()
		}
	}
	return f, err
}

// Look has the servers look at a message, one after the other, each at what the one before has made of it.
func Look(list []Server, m *filter.Message, now time.Time) (v filter.Verdict) {
	mail, refusal := New(m, strconv.FormatInt(now.UnixNano(), 36)+strconv.Itoa(os.Getpid()))
	if refusal != nil {
		return filter.Verdict{Refusal: refusal}
	}
	bodies := []*Mail{mail}
	v.Close = func() {
		for _, b := range bodies {
			b.Close()
		}
	}
	last := now.Add(maxTime)
	for _, s := range list {
		if s.strangers && m.Known {
			continue
		}
		end := time.Now().Add(s.time)
		if end.After(last) {
			end = last
		}
		out, err := s.ask(mail, end)
		switch {
		case err != nil && !s.accept:
			v.Refusal = report.Defer("4.3.0", "sorry, a content filter does not answer now")
			return v
		case err != nil:
			continue
		case out.refusal != nil || out.discard:
			v.Refusal, v.Discard = out.refusal, out.discard
			return v
		}
		if out.mail.other != mail.other {
			bodies = append(bodies, out.mail)
		}
		mail = out.mail
		if out.quarantine != "" && !s.keepApart(mail, out.quarantine) {
			v.Refusal = report.Defer("4.7.1", "sorry, a content filter holds this message back")
			return v
		}
	}
	m.Sender, m.To = mail.Sender, mail.To
	v.Discard, v.Write = len(m.To) == 0, mail.Write
	return v
}

// keepApart has a message go to who looks at such mail, and to nobody else.
func (s Server) keepApart(m *Mail, why string) bool {
	if s.quarantine == "" {
		return false
	}
	f, _ := newField("X-Quarantine", why+"; to "+printable(strings.Join(m.To, ", "), 2000), false)
	m.insert(0, f)
	m.To = []string{s.quarantine}
	return true
}

// ask asks one of them.
func (s Server) ask(m *Mail, end time.Time) (outcome, error) {
	conn, err := s.dial(end)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if s.rspamd {
		return check(conn, m)
	}
	return talk(conn, m)
}
