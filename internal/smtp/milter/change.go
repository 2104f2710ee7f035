package milter

import (
	"encoding/binary"
	"strings"

	"qmail/internal/submit/filter"
)

// change does what a milter asks for at the end of a message; false: it may not, or it is no request.
func (s *session) change(code byte, data []byte) bool {
	if code == 'b' {
		return s.may(mayReplaceBody) && s.replace(data)
	}
	place := 0
	if code == 'i' || code == 'm' {
		if len(data) < 4 {
			return false
		}
		place, data = int(min(binary.BigEndian.Uint32(data), 1<<30)), data[4:]
	}
	t, ok := texts(data)
	if !ok || len(t) == 0 {
		return false
	}
	switch code {
	case '+', '2':
		return s.may(mayAddRecipients|mayAddRecipientsWithParameters) && s.mail.addRecipient(t[0])
	case '-':
		return s.may(mayDeleteRecipients) && s.mail.deleteRecipient(t[0])
	case 'e':
		if s.mail.Sender, ok = address(t[0]); !ok {
			return false
		}
		return s.may(mayChangeSender)
	case 'q':
		s.out.quarantine = "a content filter says: " + printable(t[0], 200)
		return s.may(mayQuarantine)
	case 'h', 'i', 'm':
		return len(t) == 2 && s.field(code, place, t[0], t[1])
	}
	return false
}

func (s *session) may(what uint32) bool { return s.actions&what != 0 }

// field adds a field, or changes one.
func (s *session) field(code byte, place int, name, value string) bool {
	if s.added += len(name) + len(value); s.added > maxHeader {
		return false
	}
	f, ok := newField(name, value, s.steps&leadingSpace != 0)
	switch {
	case !ok:
		return false
	case code == 'm' && strings.Trim(value, " \t\r\n") == "":
		s.mail.change(place, name, nil)
	case code == 'm':
		s.mail.change(place, name, &f)
	case code == 'i':
		s.mail.insert(place, f)
	default:
		s.mail.insert(len(s.mail.fields), f)
	}
	return s.may(mayAddFields | mayChangeFields)
}

// replace takes a piece of another body. It may be twice as long as the message, and a megabyte.
func (s *session) replace(b []byte) bool {
	if s.body == nil {
		s.body = &bodyWriter{spool: new(filter.Spool), room: 2*s.mail.text.Size() + 1<<20}
	}
	return s.body.write(b)
}

// named returns the macros that go before a command: those that are usual, and those asked for.
func (s *session) named(code byte) (b []byte) {
	usual := map[byte]string{
		'C': "j _ v {daemon_name} {client_addr} {client_name}", 'H': "{tls_version} {cipher}",
		'M': "i {auth_type} {auth_authen} {mail_addr}", 'T': "i", 'N': "i", 'E': "i",
	}
	done := map[string]bool{}
	for _, name := range append(words(usual[code]), s.macros[code]...) {
		if v := s.mail.macro(name); v != "" && !done[name] {
			b, done[name] = appendText(b, name, v), true
		}
	}
	return b
}

// macro returns what a macro of Sendmail's is here; empty: unknown.
func (m *Mail) macro(name string) string {
	c := m.Client
	switch name {
	case "i", "{i}":
		return m.ID
	case "j", "{j}":
		return c.By
	case "v", "{v}":
		return "qmail"
	case "{daemon_name}":
		return "qmail"
	case "_", "{_}":
		return hostOf(m)
	case "{client_addr}":
		if c.IP.IsValid() {
			return c.IP.String()
		}
	case "{client_name}":
		return hostOf(m)
	case "{tls_version}":
		return c.TLS
	case "{cipher}":
		return c.Cipher
	case "{auth_type}":
		if c.LoggedIn() {
			return "PLAIN"
		}
	case "{auth_authen}":
		if c.LoggedIn() {
			return c.User
		}
	case "{mail_addr}":
		return m.Sender
	}
	return ""
}
