package bounce

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"qmail/internal/text/ascii"
	"qmail/internal/text/dsn"
	"qmail/internal/text/rfc822"
)

// writeStatus writes the second part, message/delivery-status (RFC 3464), which has no bytes of 8 bits.
func (b Bounce) writeStatus(w io.Writer, boundary string, paragraphs io.ReadSeeker, m Message) error {
	if err := rewind(paragraphs); err != nil {
		return err
	}
	h := append([]byte("--"), boundary...)
	h = append(h, "\nContent-Type: message/delivery-status\n\n"...)
	h = appendField(h, "Reporting-MTA", "dns; "+b.names.Host)
	if m.Asked != nil && m.Asked.EnvID != "" {
		h = appendField(h, "Original-Envelope-Id", dsn.Text(m.Asked.EnvID))
	}
	if !m.Arrived.IsZero() {
		h = append(h, "Arrival-Date: "...)
		h = append(rfc822.AppendDate(h, m.Arrived), '\n')
	}
	if _, err := w.Write(append(h, '\n')); err != nil {
		return err
	}
	originals := m.originals()
	return m.each(paragraphs, func(p paragraph) error {
		if p.recipient == nil {
			return nil
		}
		h = h[:0]
		if kind, addr, ok := strings.Cut(originals[string(p.recipient)], ";"); ok {
			h = appendField(h, "Original-Recipient", kind+"; "+dsn.Text(addr))
		}
		h = appendField(h, "Final-Recipient", typed(string(p.recipient)))
		h = appendField(h, "Action", p.action.word())
		h = appendField(h, "Status", status(p))
		if mta := remoteMTA(p.text); mta != "" {
			h = appendField(h, "Remote-MTA", "dns; "+mta)
		}
		h = appendField(h, "Diagnostic-Code", diagnosis(p))
		_, err := w.Write(append(h, '\n'))
		return err
	})
}

// originals returns the ORCPT of recipients, by what is shown of their addresses.
func (m Message) originals() map[string]string {
	list := map[string]string{}
	m.Asked.Each(func(addr string, r dsn.Recipient) {
		if r.Orcpt != "" {
			list[ascii.OneLine(m.Shown(addr))] = r.Orcpt
		}
	})
	return list
}

// maxField is the most bytes of a field, so that it is no line that SMTP forbids.
const maxField = 900

// appendField appends a field of one line of ASCII.
func appendField(h []byte, name, value string) []byte {
	h = append(append(h, name...), ": "...)
	for i := 0; i < min(len(value), maxField); i++ {
		c := value[i]
		switch {
		case c == '\n' || c == '\t':
			c = ' '
		case c < ' ' || c >= 127:
			c = '?'
		}
		h = append(h, c)
	}
	return append(h, '\n')
}

// typed returns an address with its type. One of 8 bits is written in ASCII as RFC 6533 has it, section 3.
func typed(addr string) string {
	if strings.IndexFunc(addr, func(c rune) bool { return c >= 0x80 }) < 0 {
		return "rfc822; " + addr
	}
	var b strings.Builder
	b.WriteString("utf-8; ")
	for _, c := range addr {
		if ' ' < c && c < 127 && c != '\\' && c != '+' && c != '=' {
			b.WriteByte(byte(c))
		} else {
			b.WriteString(`\x{`)
			for _, digit := range strconv.AppendInt(nil, int64(c), 16) {
				if digit >= 'a' {
					digit -= 'a' - 'A'
				}
				b.WriteByte(digit)
			}
			b.WriteByte('}')
		}
	}
	return b.String()
}

// status returns the status code of a paragraph, the host's or else ours, in the class of the action: with time a
// deferral becomes a failure.
func status(p paragraph) string {
	text, found := p.text, "0.0"
	for rest := text; ; {
		i := bytes.IndexAny(rest, "245")
		if i < 0 {
			break
		}
		before := byte(' ')
		if at := len(text) - len(rest) + i; at > 0 {
			before = text[at-1]
		}
		rest = rest[i+1:]
		if n := codeLen(rest); n > 0 && (before == '#' || before == ' ' || before == '-') {
			found = string(rest[1:n])
			if before != '#' {
				break // the host's own
			}
		}
	}
	return p.action.class() + found
}

// codeLen returns the length of what follows the class in a status code, or 0.
func codeLen(s []byte) int {
	n := 0
	for range 2 {
		if n >= len(s) || s[n] != '.' {
			return 0
		}
		n++
		d := n
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		if n == d || n > d+3 {
			return 0
		}
	}
	if n < len(s) && s[n] != ' ' && s[n] != ')' && s[n] != '\n' {
		return 0
	}
	return n
}

// remoteMTA returns the address of the host that a report is about: qmail-remote's own words come first in it.
func remoteMTA(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	s := strings.TrimPrefix(string(line), "Connected to ")
	s, _, _ = strings.Cut(s, " ")
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		if a.Is6() {
			return "[IPv6:" + a.String() + "]"
		}
		return "[" + a.String() + "]"
	}
	return ""
}

const saidMark = "Remote host said: "

// diagnosis returns the host's reply, or our own words.
func diagnosis(p paragraph) string {
	text := p.text
	if _, said, ok := bytes.Cut(text, []byte(saidMark)); ok && remoteMTA(text) != "" {
		return "smtp; " + string(bytes.TrimRight(said, "\n"))
	}
	if text = bytes.TrimRight(text, "\n"); len(text) > 0 {
		return "x-qmail; " + string(text)
	}
	return "x-qmail; " + p.action.word()
}
