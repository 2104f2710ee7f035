// Package recipients is the door of an SMTP session at which a recipient needs a mailbox, by control/recipients. See
// qmail-smtpd(8).
package recipients

import (
	"errors"
	"path/filepath"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/site/mailboxes"
	"qmail/internal/smtp/rcptcheck"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
)

const (
	unknown = "550 sorry, no mailbox here by that name (#5.1.1)"
	trouble = "451 sorry, I cannot tell now whether there is such a mailbox (#4.3.0)"
	flood   = "421 too many recipients without a mailbox (#4.7.0)"
)

// A source is a line of control/recipients: for which domains it is, and who knows their mailboxes: a cdb, a program,
// or nobody, and then all are accepted.
type source struct {
	domain  string
	below   bool // domains below it as well; with an empty domain: all
	path    string
	program []string
}

// parse reads a line: DOMAIN or @DOMAIN, then :PATH or |PROGRAM ARGUMENT ...; a path alone is for all domains.
func parse(line string) (s source, ok bool) {
	i := strings.IndexAny(line, ":|")
	switch {
	case i < 0 && strings.IndexByte(line, '/') >= 0:
		return source{below: true, path: line}, true
	case i < 0:
		i = len(line)
	case line[i] == '|':
		s.program = strings.FieldsFunc(line[i+1:], func(c rune) bool { return c == ' ' || c == '\t' })
		ok = len(s.program) > 0
	default:
		s.path = line[i+1:]
		ok = s.path != ""
	}
	s.domain, s.below = ascii.LowerString(line[:i]), true
	if strings.HasPrefix(s.domain, "@") {
		s.domain, s.below = s.domain[1:], false
	}
	return s, (ok || i == len(line)) && (s.domain != "" || s.below && ok) && strings.IndexByte(s.domain, '@') < 0
}

// covers reports whether the source is for a domain, which is in lower case.
func (s *source) covers(domain string) bool {
	if domain == s.domain || s.below && s.domain == "" {
		return true
	}
	return s.below && strings.HasSuffix(domain, "."+s.domain)
}

// A Door is that of one session. Clients who may relay are not asked about.
type Door struct {
	sources []source
	env     []string
	home    string
	most    int // brtlimit; 0: any number
	refused int
	books   map[string]*book
}

// A book is a cdb that was opened, or could not be.
type book struct {
	*mailboxes.Book
	ours bool
	err  error
}

// Open returns the door of a session; nil where nothing asks for one.
func Open(dir control.Dir, env []string, home string) (*Door, error) {
	lines, ok, err := dir.List("recipients")
	if !ok || err != nil {
		return nil, err
	}
	d := &Door{env: env, home: home, books: map[string]*book{}}
	for _, l := range lines {
		s, ok := parse(l)
		if !ok {
			return nil, lineError(l)
		}
		d.sources = append(d.sources, s)
	}
	if d.most, err = dir.Int("brtlimit"); err != nil {
		return nil, err
	}
	return d, nil
}

func lineError(line string) error {
	return errors.New("control/recipients: " + line + " makes no sense")
}

// Close closes what was opened; a nil Door is none.
func (d *Door) Close() {
	if d == nil {
		return
	}
	for _, b := range d.books {
		if b.err == nil {
			b.Close()
		}
	}
}

// Admit asks the sources that are for a recipient's domain. One of them has to know the recipient.
func (d *Door) Admit(stage smtpd.Stage, v *smtpd.Visit) string {
	if stage != smtpd.AtRcpt || v.Relays {
		return ""
	}
	at := strings.LastIndexByte(v.Recipient, '@')
	if at < 0 {
		return ""
	}
	domain, asked, unsure := ascii.LowerString(v.Recipient[at+1:]), false, false
	for i := range d.sources {
		s := &d.sources[i]
		if !s.covers(domain) {
			continue
		}
		asked = true
		has, known := d.ask(s, v, domain)
		if has {
			return ""
		}
		unsure = unsure || !known
	}
	switch {
	case !asked:
		return ""
	case unsure:
		return trouble
	}
	d.refused++
	if d.most > 0 && d.refused > d.most {
		return flood
	}
	return unknown
}

// ask asks one source; known is false where it cannot tell now.
func (d *Door) ask(s *source, v *smtpd.Visit, domain string) (has, known bool) {
	switch {
	case s.program != nil:
		env := environ.With(environ.Without(d.env, "SENDER", "RECIPIENT"), "SENDER="+v.Sender, "RECIPIENT="+v.Recipient)
		code, ok := rcptcheck.Run(d.home, s.program, env, rcptcheck.Within, []byte(v.Recipient+"\x00"))
		return ok && code == 0, ok && (code == 0 || code == 1 || code == 100)
	case s.path == "":
		return true, true
	}
	b := d.open(s.path)
	if b.err != nil {
		return false, false
	}
	if b.ours {
		lacks, err := b.Lacks(v.Recipient)
		return !lacks && err == nil, err == nil
	}
	has, err := b.Lists(v.Recipient[:len(v.Recipient)-len(domain)-1], domain)
	return has, err == nil
}

func (d *Door) open(path string) *book {
	b, ok := d.books[path]
	if !ok {
		b = new(book)
		at := path
		if !strings.HasPrefix(at, "/") {
			at = filepath.Join(d.home, at)
		}
		b.Book, b.ours, b.err = mailboxes.Open(d.home, at)
		d.books[path] = b
	}
	return b
}
