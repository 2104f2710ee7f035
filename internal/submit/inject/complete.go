package inject

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"qmail/internal/text/rfc822"
)

// maxCompleted is the most bytes of a header that a Completion holds.
const maxCompleted = 1 << 20

// A Completion passes on a message that a user's program has sent by SMTP. It completes the header (RFC 6409, 8): Date
// and Message-ID, and From by the sender of the envelope; Bcc, Resent-Bcc and Return-Path go. All else stays as it is.
type Completion struct {
	Out    io.Writer
	Now    time.Time
	ID     string // the left side of a generated Message-ID, and
	IDHost string // its host
	Sender string // of the envelope
	// May reports whether an address may be the author's.
	May func(address string) (bool, error)

	line    []byte // as far as it has come
	field   []byte // whole lines of one
	kept    held
	seen    [rfc822.Fields]bool
	body    bool // the header is over
	refusal string
}

// Write takes some of the message. What is wrong with it Close tells.
func (c *Completion) Write(b []byte) (int, error) {
	all := len(b)
	for len(b) > 0 && !c.body {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		c.line, b = append(c.line, b[:n]...), b[n:]
		if len(c.line)+len(c.field)+c.kept.size > maxCompleted {
			c.end("552 the header is too long (#5.3.4)")
		} else if c.line[len(c.line)-1] == '\n' {
			c.take()
		}
	}
	if c.refusal == "" {
		c.Out.Write(b)
	}
	return all, nil
}

// Close ends the message. It returns a reply that refuses it, or nothing.
func (c *Completion) Close() (refusal string) {
	if !c.body {
		if len(c.line) > 0 {
			c.line = append(c.line, '\n')
			c.take()
		}
		if !c.body {
			c.line = c.line[:0]
			c.finish()
		}
	}
	return c.refusal
}

// end refuses the message: no more of it counts.
func (c *Completion) end(refusal string) {
	c.body, c.refusal = true, refusal
	c.line, c.field, c.kept = nil, nil, held{}
}

// take handles one line of the header, or the first behind it.
func (c *Completion) take() {
	if len(c.field) > 0 && (c.line[0] == ' ' || c.line[0] == '\t') {
		c.field = append(c.field, c.line...)
		c.line = c.line[:0]
		return
	}
	_, _, ok := rfc822.FieldName(c.line)
	if !ok {
		c.finish()
		return
	}
	c.add()
	c.field = append(c.field[:0], c.line...)
	c.line = c.line[:0]
}

// add handles the field that has come.
func (c *Completion) add() {
	n, body, ok := rfc822.FieldName(c.field)
	if !ok || c.body {
		return
	}
	f := rfc822.FieldOf(c.field[:n])
	c.seen[f] = true
	switch f {
	case rfc822.Bcc, rfc822.ResentBcc, rfc822.ReturnPath:
		return
	case rfc822.From:
		if refusal := c.authors(c.field[body:]); refusal != "" {
			c.end(refusal)
			return
		}
	}
	c.kept.add(c.field)
}

// authors looks at the addresses of a From field, each of which must be the user's: it is what readers see, and what
// is vouched for when the message leaves.
func (c *Completion) authors(body []byte) (refusal string) {
	list, err := rfc822.Addresses(string(body))
	if err != nil || len(list) == 0 {
		return "554 the From field names nobody (#5.6.0)"
	}
	for _, a := range list {
		if refusal := c.author(a); refusal != "" {
			return refusal
		}
	}
	return ""
}

func (c *Completion) author(address string) (refusal string) {
	ok, err := c.May(address)
	switch {
	case err != nil:
		return "451 unable to read who may send from where (#4.3.0)"
	case !ok:
		return "550 the address in the From field is not yours (#5.7.1)"
	}
	return ""
}

// finish passes the header on, with what it lacks, and the line that is not of it.
func (c *Completion) finish() {
	c.add()
	if c.body {
		return
	}
	c.body = true
	b := make([]byte, 0, 256)
	if !c.seen[rfc822.Date] {
		b = append(rfc822.AppendDate(append(b, "Date: "...), c.Now), '\n')
	}
	if !c.seen[rfc822.MessageID] {
		b = append(c.Now.UTC().AppendFormat(append(b, "Message-ID: <"...), "20060102150405."), c.ID...)
		b = append(append(append(b, ".qmail@"...), c.IDHost...), ">\n"...)
	}
	if !c.seen[rfc822.From] {
		if c.Sender == "" {
			c.end("554 the header has no From field (#5.6.0)")
			return
		}
		if refusal := c.author(c.Sender); refusal != "" {
			c.end(refusal)
			return
		}
		b = append(append(append(b, "From: "...), rfc822.Quote(c.Sender)...), '\n')
	}
	c.Out.Write(b)
	for _, block := range c.kept.blocks {
		c.Out.Write(block)
	}
	if len(c.line) > 0 && c.line[0] != '\n' {
		c.Out.Write(newline)
	}
	c.Out.Write(c.line)
	c.line, c.field, c.kept = nil, nil, held{}
}

// MessageNumber is the left side of a Message-ID of a process that has several messages.
func MessageNumber(pid, n int) string { return strconv.Itoa(pid) + "." + strconv.Itoa(n) }
