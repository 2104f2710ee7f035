package dkim

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"

	"qmail/internal/text/ascii"
)

// signed are the names whose fields are signed where they are there: RFC 6376, section 5.4.1. The first ones matter
// most: those that are so long that they have no room are left out.
var signed = [...]string{
	"From", "Subject", "Date", "To", "Message-ID", "Reply-To", "Cc", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post", "Sender", "In-Reply-To", "References",
	"List-Id", "List-Help", "List-Subscribe", "List-Post", "List-Owner", "List-Archive",
	"Resent-From", "Resent-Sender", "Resent-Date", "Resent-To", "Resent-Cc", "Resent-Message-ID",
}

// sealed are the names that are signed once more than they are there, so that nobody adds another. RFC 8058 wants the
// last two signed.
var sealed = [...]string{"From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post"}

// maxSigned is the most fields of one name that are signed. No good message has so many; and h= has an end.
const maxSigned = 10

var (
	// ErrFrom says that a message has no From, or several: no receiver wants that signed.
	ErrFrom = errors.New("there is not exactly one From")
	// ErrRoom says that not even From has room in what may be signed.
	ErrRoom = errors.New("the From is too long")
)

// A Signer makes signatures of a message that is written to it.
type Signer struct {
	split  splitter
	bodies [2]*digest
	closed bool
}

// NewSigner returns a Signer for one message. Begun, unless it is nil, is called with the header, and says how the body
// will have been written in the signatures; with none of them the body is not looked at.
func NewSigner(l Limits, begun func([]Field) []Canon) *Signer {
	s := &Signer{}
	s.split = splitter{limit: l.Header, begun: func() []*body {
		var list []*body
		for _, c := range begun(s.split.fields) {
			if s.bodies[c] == nil {
				s.bodies[c] = newDigest(nil)
				list = append(list, newBody(c, s.bodies[c]))
			}
		}
		return list
	}}
	return s
}

// Write takes a part of the message. It never fails.
func (s *Signer) Write(p []byte) (int, error) { return s.split.Write(p) }

// Idle reports whether the header is there, and nothing is wanted of the body.
func (s *Signer) Idle() bool { return s.split.done && len(s.split.bodies) == 0 }

// Close ends the message. An error means that the header cannot be signed.
func (s *Signer) Close() error {
	if !s.closed {
		s.closed = true
		s.split.Close()
	}
	return s.split.err
}

// A Template says what a signature is to be.
type Template struct {
	Signature     // Names, BodyHash and Value are the Signer's to fill in; Length is not looked at: all is signed
	Room      int // the most bytes that Sign takes; 0: as many as there are
}

// Sign makes a signature, and returns its field, in lines that end in CRLF. The block that sign gets is what is hashed
// and signed; Close comes before.
func (s *Signer) Sign(t Template, sign func(block []byte) ([]byte, error)) ([]byte, error) {
	d := s.bodies[t.Body]
	if s.split.err != nil || d == nil {
		return nil, ErrHeader
	}
	x := newIndex(s.split.fields)
	if len(x["from"]) != 1 {
		return nil, ErrFrom
	}
	t.BodyHash, _ = d.sum(-1)
	if t.choose(x, s.split.fields); len(t.Names) == 0 {
		return nil, ErrRoom
	}
	block := make([]byte, 0, 2<<10)
	for _, f := range x.pick(s.split.fields, lower(t.Names)) {
		block = t.Header.appendField(block, f.Raw)
		if !bytes.HasSuffix(f.Raw, lineEnd) {
			block = append(block, lineEnd...)
		}
	}
	field := t.field()
	value, err := sign(t.Header.appendField(block, field))
	if err != nil {
		return nil, err
	}
	return append(appendFolded(field, base64.StdEncoding.EncodeToString(value)), lineEnd...), nil
}

// choose sets the names for h= among those that there are; none where From has no room.
func (t *Template) choose(x index, fields []Field) {
	t.Names = nil
	left := t.Room - len(t.field())
	for _, name := range signed {
		places := x[ascii.LowerString(name)]
		there := min(len(places), maxSigned)
		named := there
		if slices.Contains(sealed[:], name) {
			named = min(len(places)+1, maxSigned)
		}
		size := named * (len(name) + len(":\r\n\t "))
		for _, p := range places[len(places)-there:] {
			size += len(fields[p].Raw) + len(lineEnd)
		}
		switch {
		case t.Room == 0 || size <= left:
			left -= size
			for range named {
				t.Names = append(t.Names, name)
			}
		case len(t.Names) == 0: // From is the first one
			return
		}
	}
}

func lower(names []string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = ascii.LowerString(n)
	}
	return list
}

// field returns the field of a signature without its value. Lines are folded between tags and names only, before they
// are as long as what mailers cut.
func (t Template) field() []byte {
	b := append([]byte(FieldName), ": v=1; a="...)
	b = append(b, t.Algorithm...)
	b = append(b, "; c="...)
	b = append(b, t.Header.String()+"/"+t.Body.String()...)
	b = appendTag(b, "d", t.Domain)
	b = appendTag(b, "s", t.Selector)
	if t.Time > 0 {
		b = appendTag(b, "t", strconv.FormatInt(t.Time, 10))
	}
	if t.Expires > 0 {
		b = appendTag(b, "x", strconv.FormatInt(t.Expires, 10))
	}
	if t.Identity != "" {
		b = appendTag(b, "i", t.Identity)
	}
	b = append(b, ";\r\n\th="...)
	line := 3
	for i, n := range t.Names {
		if i > 0 {
			b = append(b, ':')
			if line++; line+len(n) >= foldAt {
				b = append(b, "\r\n\t "...)
				line = 2
			}
		}
		b = append(b, n...)
		line += len(n)
	}
	b = append(b, ";\r\n\tbh="...)
	b = append(b, base64.StdEncoding.EncodeToString(t.BodyHash)...)
	return append(b, ";\r\n\tb="...)
}

const foldAt = 76

// appendTag appends a tag, on a line of its own where this one would be long.
func appendTag(b []byte, name, value string) []byte {
	line := len(b) - bytes.LastIndexByte(b, '\n') - 1
	if line+len(name)+len(value)+4 > foldAt {
		b = append(b, ";\r\n\t"...)
	} else {
		b = append(b, "; "...)
	}
	return append(append(append(b, name...), '='), value...)
}

// appendFolded appends base64 in lines.
func appendFolded(b []byte, s string) []byte {
	const width = 70
	for len(s) > width {
		b = append(append(b, s[:width]...), "\r\n\t"...)
		s = s[width:]
	}
	return append(b, s...)
}
