// Package bounce writes the text of a bounce: the paragraph about each failed recipient, and the message around them.
package bounce

import (
	"io"
	"strings"
	"time"

	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// TooLong is added to a deferral that has become a failure with time.
const TooLong = "I'm not going to try again; this message has been in the queue too long.\n"

// doubleSender is the envelope sender of a double bounce. What it cannot be delivered to gets no bounce any more.
const doubleSender = "#@[]"

// Paragraph appends the paragraph about a recipient, as it is kept in bounce/ID until the bounce is sent. text is the
// report of the delivery, in which control bytes become _ but for tabs and line ends. Only its end has an empty line,
// so that a reader finds the next one.
func Paragraph(b []byte, recipient string, text []byte) []byte {
	start := len(b)
	b = append(b, '<')
	b = append(b, ascii.OneLine(recipient)...)
	b = append(b, ">:\n"...)
	for _, c := range text {
		if ascii.IsControl(c) && c != '\n' && c != '\t' {
			c = '_'
		}
		b = append(b, c)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		b = append(b, '\n')
	}
	for i := len(b) - 2; i > start; i-- {
		if b[i] == '\n' && b[i-1] == '\n' {
			b[i] = '/'
		}
	}
	return append(b, '\n')
}

// Names are what bounces say about themselves; see qmail-send(8) for the control files.
type Names struct {
	From       string // bouncefrom: the user part of the From address
	Host       string // bouncehost
	DoubleTo   string // doublebounceto
	DoubleHost string // doublebouncehost
}

// A Bounce is what to send about one message whose deliveries have failed.
type Bounce struct {
	Sender    string // the envelope sender of the bounce
	Recipient string // and its recipient
	names     Names
	original  string // the sender of the message, as the bounce shows it
	double    bool
}

// For returns the bounce of a message with this envelope sender. ok is false for a message that is a double bounce
// itself: its bounce is thrown away.
func For(sender string, names Names) (b Bounce, ok bool) {
	if sender == doubleSender {
		return Bounce{}, false
	}
	sender = strings.TrimSuffix(sender, "-@[]")
	b = Bounce{Recipient: sender, names: names, original: sender}
	if sender == "" {
		b.Sender, b.Recipient, b.double = doubleSender, names.DoubleTo+"@"+names.DoubleHost, true
	}
	return b, true
}

// Write writes the text of the bounce: paragraphs are those of the failed recipients, message is what
// could not be delivered.
func (b Bounce) Write(w io.Writer, date time.Time, paragraphs, message io.Reader) error {
	h := append(make([]byte, 0, 1024), "Date: "...)
	h = rfc822.AppendDate(h, date)
	h = append(h, "\nFrom: "...)
	h = append(h, rfc822.Quote(b.names.From+"@"+b.names.Host)...)
	h = append(h, "\nTo: "...)
	h = append(h, ascii.OneLine(rfc822.Quote(b.Recipient))...)
	h = append(h, "\nSubject: failure notice\n\nHi. This is the qmail-send program at "...)
	h = append(h, b.names.Host...)
	if b.double {
		h = append(h, ".\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n"...)
	} else {
		h = append(h, ".\nI'm afraid I wasn't able to deliver your message to the following addresses.\n"+
			"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"...)
	}
	if _, err := w.Write(h); err != nil {
		return err
	}
	if _, err := io.Copy(w, paragraphs); err != nil {
		return err
	}
	h = append(h[:0], "--- Below this line is "...)
	if b.double {
		h = append(h, "the original bounce.\n\nReturn-Path: <"...)
	} else {
		h = append(h, "a copy of the message.\n\nReturn-Path: <"...)
	}
	h = append(h, ascii.OneLine(rfc822.Quote(b.original))...)
	if _, err := w.Write(append(h, ">\n"...)); err != nil {
		return err
	}
	_, err := io.Copy(w, message)
	return err
}
