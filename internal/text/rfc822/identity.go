package rfc822

import (
	"bytes"

	"qmail/internal/text/ascii"
)

// maxIdentity is the most bytes of a Message-ID that are kept, and of a line that are looked at.
const maxIdentity = 250

// An Identity finds the Message-ID of a message that is written to it, with LF at the line ends. The first one counts.
type Identity struct {
	// ID is the Message-ID without its brackets; empty where there is none.
	ID string

	line   []byte
	folded bool // the name was there, and nothing else in its line
	over   bool // no more is wanted
}

// Write looks at a piece of the message.
func (d *Identity) Write(piece []byte) (int, error) {
	for rest := piece; len(rest) > 0 && !d.over; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		d.line = append(d.line, part[:min(len(part), maxIdentity-len(d.line))]...)
		if whole {
			d.end(d.line)
			d.line = d.line[:0]
		}
	}
	return len(piece), nil
}

// end looks at a line.
func (d *Identity) end(line []byte) {
	if len(line) == 0 {
		d.over = true // the header ends
		return
	}
	value := line
	if blank := line[0] == ' ' || line[0] == '\t'; !blank || !d.folded {
		name, after, ok := bytes.Cut(line, []byte{':'})
		d.folded = ok && ascii.Equal(string(bytes.TrimRight(name, " \t")), "message-id")
		value = after
	}
	if value = bytes.Trim(value, " \t\r"); d.folded && len(value) > 0 {
		d.ID = string(bytes.TrimSuffix(bytes.TrimPrefix(value, []byte{'<'}), []byte{'>'}))
		d.over = true
	}
}
