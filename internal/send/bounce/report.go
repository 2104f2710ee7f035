package bounce

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// writeReport writes a multipart/report: what a person reads, what a program reads, and the message or its header.
func (b Bounce) writeReport(w io.Writer, date time.Time, paragraphs io.ReadSeeker, m Message) error {
	charset, err := charsetOf(paragraphs)
	if err != nil {
		return err
	}
	boundary := newBoundary()
	h := b.appendHeader(make([]byte, 0, 2048), date)
	h = append(h, "Message-ID: <"...)
	h = append(append(append(h, newBoundary()...), '@'), b.names.Host...)
	h = append(h, ">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\""...)
	h = append(append(h, boundary...), "\"\nContent-Transfer-Encoding: 8bit\n\n--"...)
	h = append(append(h, boundary...), "\nContent-Type: text/plain; charset="...)
	h = append(append(h, charset...), "\nContent-Transfer-Encoding: 8bit\n\n"...)
	h = b.appendIntroduction(h)
	if _, err := w.Write(h); err != nil {
		return err
	}
	err = each(paragraphs, func(p paragraph) error {
		_, err := w.Write(p.whole)
		return err
	})
	if err != nil {
		return err
	}
	if err := b.writeStatus(w, boundary, paragraphs, m); err != nil {
		return err
	}
	return b.writeCopy(w, boundary, m)
}

// newBoundary returns a word that nobody who wrote any of the contents can know.
func newBoundary() string {
	return "qmail-" + strconv.FormatUint(rand.Uint64(), 36) + "-" + strconv.FormatUint(rand.Uint64(), 36)
}

// charsetOf returns the character set of the first part.
func charsetOf(paragraphs io.ReadSeeker) (string, error) {
	charset := "us-ascii"
	err := each(paragraphs, func(p paragraph) error {
		for i := 0; i < len(p.whole); i++ {
			if p.whole[i] < 0x80 {
				continue
			}
			n := ascii.UTF8(string(p.whole[i:min(i+4, len(p.whole))]))
			if n == 0 {
				charset = "unknown-8bit"
				return nil
			}
			if charset == "us-ascii" {
				charset = "utf-8"
			}
			i += n - 1
		}
		return nil
	})
	return charset, errors.Join(err, rewind(paragraphs))
}

func rewind(r io.Seeker) error {
	_, err := r.Seek(0, io.SeekStart)
	return err
}

// writeStatus writes the second part, message/delivery-status (RFC 3464), which has no bytes of 8 bits.
func (b Bounce) writeStatus(w io.Writer, boundary string, paragraphs io.ReadSeeker, m Message) error {
	if err := rewind(paragraphs); err != nil {
		return err
	}
	h := append([]byte("--"), boundary...)
	h = append(h, "\nContent-Type: message/delivery-status\n\n"...)
	h = appendField(h, "Reporting-MTA", "dns; "+b.names.Host)
	if !m.Arrived.IsZero() {
		h = append(h, "Arrival-Date: "...)
		h = append(rfc822.AppendDate(h, m.Arrived), '\n')
	}
	if _, err := w.Write(append(h, '\n')); err != nil {
		return err
	}
	return each(paragraphs, func(p paragraph) error {
		if p.recipient == nil {
			return nil
		}
		h = h[:0]
		h = appendField(h, "Final-Recipient", typed(string(p.recipient)))
		h = appendField(h, "Action", "failed")
		h = appendField(h, "Status", status(p.text))
		if mta := remoteMTA(p.text); mta != "" {
			h = appendField(h, "Remote-MTA", "dns; "+mta)
		}
		h = appendField(h, "Diagnostic-Code", diagnosis(p.text))
		_, err := w.Write(append(h, '\n'))
		return err
	})
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

// status returns the status code of a paragraph, the host's or else ours, as that of a failure: with time a deferral
// becomes one.
func status(text []byte) string {
	found := "0.0"
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
	return "5." + found
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
func diagnosis(text []byte) string {
	if _, said, ok := bytes.Cut(text, []byte(saidMark)); ok && remoteMTA(text) != "" {
		return "smtp; " + string(bytes.TrimRight(said, "\n"))
	}
	if text = bytes.TrimRight(text, "\n"); len(text) > 0 {
		return "x-qmail; " + string(text)
	}
	return "x-qmail; failed"
}

// writeCopy writes the third part: the message, or its header where that is to do, and the end.
func (b Bounce) writeCopy(w io.Writer, boundary string, m Message) error {
	limit := b.names.MaxBytes
	headers := limit > 0 && m.Size > limit
	kind := "message/rfc822"
	if headers {
		kind = "text/rfc822-headers"
	}
	h := append([]byte("--"), boundary...)
	h = append(append(h, "\nContent-Type: "...), kind...)
	h = append(h, "\nContent-Transfer-Encoding: 8bit\n\n"...)
	if _, err := w.Write(b.appendReturnPath(h)); err != nil {
		return err
	}
	var err error
	if headers {
		err = copyHeader(w, m.Text, limit)
	} else {
		_, err = io.Copy(w, m.Text)
	}
	if err == nil {
		_, err = io.WriteString(w, "\n--"+boundary+"--\n")
	}
	return err
}

// copyHeader copies the header of a message, whole lines of it, at most so many bytes.
func copyHeader(w io.Writer, r io.Reader, limit int64) error {
	return eachLine(r, func(line []byte, begins bool) (bool, error) {
		if limit -= int64(len(line)); limit < 0 || begins && line[0] == '\n' {
			return false, nil
		}
		_, err := w.Write(line)
		return true, err
	})
}
