package inject

import (
	"strconv"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/text/environ"
	"qmail/internal/text/rfc822"
)

// settings are the control files and the environment variables of qmail-inject.
type settings struct {
	defaultHost   []rfc822.Token // as a host; "@" is put before it
	defaultDomain []rfc822.Token // with a dot before it
	plusDomain    []rfc822.Token // with a dot before it
	idHost        string

	user, host             string // of the From field
	senderUser, senderHost string // of the envelope sender
	name                   *string
	mftFile                string

	nameAsComment bool // c
	deleteFrom    bool // f
	deleteID      bool // i
	ignorePath    bool // s
	perRecipient  bool // r
	perMessage    bool // m
}

// readSettings reads all control files, also those that the message may not need: one that cannot be read is always
// an error.
func readSettings(dir control.Dir, env []string) (s settings, err error) {
	var me control.Me
	if _, _, err := me.Line(dir); err != nil {
		return s, errRead
	}
	get := func(name, variable string) string {
		v, _, e := me.Text(dir, name)
		if e != nil {
			err = errRead
		}
		if x, ok := environ.Get(env, variable); ok {
			return x
		}
		return v
	}
	domain := get("defaultdomain", "QMAILDEFAULTDOMAIN")
	host := get("defaulthost", "QMAILDEFAULTHOST")
	s.idHost = get("idhost", "QMAILIDHOST")
	plus := get("plusdomain", "QMAILPLUSDOMAIN")
	if err != nil {
		return s, err
	}
	if s.defaultDomain, err = tokens("." + domain); err != nil {
		return s, err
	}
	if s.defaultHost, err = tokens("@" + host); err != nil {
		return s, err
	}
	if s.plusDomain, err = tokens("." + plus); err != nil {
		return s, err
	}
	s.people(env)
	s.flags(env)
	return s, nil
}

// tokens reads a piece of an address that is not the message's.
func tokens(s string) ([]rfc822.Token, error) {
	t, err := rfc822.Tokenize(s)
	if err != nil {
		return nil, unparsable(s)
	}
	return t, nil
}

func (s *settings) people(env []string) {
	s.user = "anonymous"
	if v, ok := first(env, "QMAILUSER", "MAILUSER", "USER", "LOGNAME"); ok {
		s.user = v
	}
	s.host, _ = first(env, "QMAILHOST", "MAILHOST")
	if v, ok := first(env, "QMAILNAME", "MAILNAME", "NAME"); ok {
		s.name = &v
	}
	s.senderUser, s.senderHost = s.user, s.host
	if v, ok := environ.Get(env, "QMAILSUSER"); ok {
		s.senderUser = v
	}
	if v, ok := environ.Get(env, "QMAILSHOST"); ok {
		s.senderHost = v
	}
	s.mftFile, _ = environ.Get(env, "QMAILMFTFILE")
}

func (s *settings) flags(env []string) {
	letters, _ := environ.Get(env, "QMAILINJECT")
	for i := 0; i < len(letters); i++ {
		switch letters[i] {
		case 'c':
			s.nameAsComment = true
		case 'f':
			s.deleteFrom = true
		case 'i':
			s.deleteID = true
		case 's':
			s.ignorePath = true
		case 'r':
			s.perRecipient = true
		case 'm':
			s.perMessage = true
		}
	}
}

// person returns the address of user at host, before rewriting. Without a host the default host will be put behind it.
func person(user, host string) ([]rfc822.Token, error) {
	k := rfc822.Atom
	if rfc822.NeedsQuotes(user) {
		k = rfc822.Quoted
	}
	addr := []rfc822.Token{{Kind: k, Text: user}}
	if host == "" {
		return addr, nil
	}
	at, err := tokens("@" + host)
	return append(addr, at...), err
}

// defaultSender is the envelope sender of a message that does not name one.
func (s *settings) defaultSender(now time.Time, pid int) (string, error) {
	user := s.senderUser
	if s.perMessage {
		user += "-" + strconv.FormatInt(now.Unix(), 10) + "." + strconv.Itoa(pid)
	}
	if s.perRecipient {
		user += "-"
	}
	addr, err := person(user, s.senderHost)
	if err != nil {
		return "", err
	}
	sender := rfc822.Text(s.rewrite(addr))
	if s.perRecipient {
		sender += verpMark
	}
	return sender, nil
}

// verpMark at the end of a sender asks qmail-send for a sender of its own for each recipient; see addresses(5).
const verpMark = "-@[]"

func first(env []string, names ...string) (string, bool) {
	for _, n := range names {
		if v, ok := environ.Get(env, n); ok {
			return v, true
		}
	}
	return "", false
}
