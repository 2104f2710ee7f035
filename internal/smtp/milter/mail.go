package milter

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"qmail/internal/submit/envelope"
	"qmail/internal/submit/filter"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
	"qmail/internal/text/trace"
)

// A Mail is a message as milters see it and change it.
type Mail struct {
	Client trace.Trace
	ID     string
	Sender string
	To     []string

	fields []field
	blank  string // what is between the header and the body
	text   *filter.Spool
	body   int           // where it begins in text
	other  *filter.Spool // the body that stands in its place; nil: none
}

// A field is one field of the header, with its LF.
type field struct {
	text string
	name string // empty: it is our server's own, which nobody is shown and nobody changes
}

// New reads the header of a message. The first field of our server says who the client is; where there is none the
// message is of this machine.
func New(m *filter.Message, id string) (*Mail, *report.Report) {
	mail := &Mail{ID: id, Sender: m.Sender, To: m.To, text: &m.Text}
	head := m.Text.Head()
	client, ours, _, ok := trace.Find(head)
	if !ok {
		ours = -1
	}
	mail.Client = client
	for mail.body < len(head) && mail.blank == "" {
		rest := head[mail.body:]
		if rest[0] == '\n' {
			mail.blank = "\n"
			mail.body++
			break
		}
		n := trace.FirstField(rest)
		name := nameOf(rest[:n])
		if name == "" || rest[n-1] != '\n' {
			break // the body begins without a blank line
		}
		if mail.body == ours {
			name = ""
		}
		mail.fields = append(mail.fields, field{string(rest[:n]), name})
		mail.body += n
	}
	if mail.blank == "" && m.Text.Size() > int64(len(head)) {
		return nil, report.Fail("5.3.4", "sorry, that header is too long for the content filters")
	}
	return mail, nil
}

// nameOf returns the name of a field, or nothing where b begins with none.
func nameOf(b []byte) string {
	name, _, ok := bytes.Cut(b, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || !isName(string(name)) {
		return ""
	}
	return string(name)
}

func isName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// clone returns a copy, to be changed.
func (m *Mail) clone() *Mail {
	c := *m
	c.To, c.fields = slices.Clone(m.To), slices.Clone(m.fields)
	return &c
}

// bodyReader returns the body, in lines that end in LF.
func (m *Mail) bodyReader() io.Reader {
	if m.other != nil {
		return m.other.Reader(0)
	}
	return m.text.Reader(m.body)
}

// Write writes the message.
func (m *Mail) Write(w io.Writer) error {
	for _, f := range m.fields {
		if _, err := io.WriteString(w, f.text); err != nil {
			return err
		}
	}
	return m.writeRest(w)
}

// writeShown writes what milters are shown.
func (m *Mail) writeShown(w io.Writer) error {
	for _, f := range m.fields {
		if f.name != "" {
			io.WriteString(w, f.text)
		}
	}
	return m.writeRest(w)
}

func (m *Mail) writeRest(w io.Writer) error {
	if _, err := io.WriteString(w, m.blank); err != nil {
		return err
	}
	_, err := io.Copy(w, m.bodyReader())
	return err
}

// Close forgets a body that a milter has made.
func (m *Mail) Close() {
	if m.other != nil {
		m.other.Close()
	}
}

// newField makes a field of what a milter says: it cannot end the header, nor begin another field.
func newField(name, value string, space bool) (field, bool) {
	if !isName(name) || strings.ContainsRune(value, 0) || len(name)+len(value) > maxPacket {
		return field{}, false
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(value, "\r", ""), "\n"), "\n")
	text := name + ":"
	if !space && !strings.HasPrefix(lines[0], " ") {
		text += " "
	}
	for i, l := range lines {
		if strings.Trim(l, " \t") == "" && i > 0 {
			continue
		}
		if i > 0 && l[0] != ' ' && l[0] != '\t' {
			l = "\t" + l
		}
		text += l + "\n"
	}
	return field{text, name}, true
}

// insert puts a field before the one at place n; past the last one it is at the end.
func (m *Mail) insert(n int, f field) {
	m.fields = slices.Insert(m.fields, max(0, min(n, len(m.fields))), f)
}

// change replaces the nth field of that name, or removes it where with is nil. What is not there is added.
func (m *Mail) change(n int, name string, with *field) {
	for i, f := range m.fields {
		if f.name == "" || !ascii.Equal(f.name, name) {
			continue
		}
		if n--; n > 0 {
			continue
		}
		if with == nil {
			m.fields = slices.Delete(m.fields, i, i+1)
		} else {
			m.fields[i] = *with
		}
		return
	}
	if with != nil {
		m.fields = append(m.fields, *with)
	}
}

// address reads an address that a milter names, in brackets or not.
func address(s string) (string, bool) {
	s = strings.Trim(s, blanks)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = s[1 : len(s)-1]
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return "", false
		}
	}
	return s, len(s) < envelope.MaxAddress
}

// addRecipient adds one, once.
func (m *Mail) addRecipient(s string) bool {
	a, ok := address(s)
	if !ok || a == "" || len(m.To) >= maxRecipients && !slices.Contains(m.To, a) {
		return false
	}
	if !slices.Contains(m.To, a) {
		m.To = append(m.To, a)
	}
	return true
}

// deleteRecipient removes one.
func (m *Mail) deleteRecipient(s string) bool {
	a, ok := address(s)
	m.To = slices.DeleteFunc(m.To, func(t string) bool { return t == a })
	return ok
}
