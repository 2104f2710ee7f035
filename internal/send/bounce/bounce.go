// Package bounce writes the text of a bounce: the paragraph about each failed recipient, and the message around them,
// as QSBMF or as a multipart/report (RFC 3462, RFC 3464) whose first part is the same text.
package bounce

import (
	"bufio"
	"io"
	"strings"
	"time"

	"qmail/internal/text/ascii"
	"qmail/internal/text/dsn"
	"qmail/internal/text/rfc822"
)

// TooLong is added to a deferral that has become a failure with time.
const TooLong = "I'm not going to try again; this message has been in the queue too long.\n"

// doubleSender is the envelope sender of a double bounce. What it cannot be delivered to gets no bounce any more.
const doubleSender = "#@[]"

// Names are what bounces say about themselves; see qmail-send(8) for the control files.
type Names struct {
	From       string // bouncefrom: the user part of the From address
	Host       string // bouncehost
	DoubleTo   string // doublebounceto
	DoubleHost string // doublebouncehost
	Multipart  bool   // bounceformat: each is a multipart/report, not only where the sender asks for reports
	MaxBytes   int64  // bouncemaxbytes: the most of the message that is copied; 0: all
}

// A Bounce is what to send about one message whose deliveries have failed, or whose sender wants to be told more.
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

// Told reports whether the sender of a message may be told of anything but failures: there is no report on a bounce.
func Told(sender string) bool { return sender != "" && sender != doubleSender }

// A Message is what a bounce is about.
type Message struct {
	Text    io.Reader
	Size    int64
	Arrived time.Time
	Delay   bool                     // the bounce tells of delays, and of nothing else; else of all but those
	Asked   *dsn.Set                 // what its sender asks for; nil: nothing
	Shown   func(addr string) string // how the address of a recipient is shown
}

// A kind is what a bounce is about.
type kind uint8

const (
	failure     kind = iota
	failuresToo      // and other ends
	success
	delay
)

// Write writes the text of the bounce: paragraphs are those of the recipients, m is what they are about.
func (b Bounce) Write(w io.Writer, date time.Time, paragraphs io.ReadSeeker, m Message) error {
	if b.names.Multipart || m.Asked != nil {
		return b.writeReport(w, date, paragraphs, m)
	}
	h := b.appendHeader(make([]byte, 0, 1024), date, failure)
	h = b.appendIntroduction(append(h, '\n'), failure)
	if _, err := w.Write(h); err != nil {
		return err
	}
	if _, err := io.Copy(w, paragraphs); err != nil {
		return err
	}
	h = append(h[:0], "--- Below this line is "...)
	if b.double {
		h = append(h, "the original bounce.\n\n"...)
	} else {
		h = append(h, "a copy of the message.\n\n"...)
	}
	if _, err := w.Write(b.appendReturnPath(h)); err != nil {
		return err
	}
	if limit := b.names.MaxBytes; limit > 0 && m.Size > limit {
		return copyLines(w, m.Text, limit, "\n--- The rest of the message is not copied.\n")
	}
	_, err := io.Copy(w, m.Text)
	return err
}

func (b Bounce) appendHeader(h []byte, date time.Time, k kind) []byte {
	h = append(h, "Date: "...)
	h = rfc822.AppendDate(h, date)
	h = append(h, "\nFrom: "...)
	h = append(h, rfc822.Quote(b.names.From+"@"+b.names.Host)...)
	h = append(h, "\nTo: "...)
	h = append(h, ascii.OneLine(rfc822.Quote(b.Recipient))...)
	h = append(h, "\nSubject: "...)
	return append(h, [...]string{"failure notice\n", "failure notice\n", "delivery notice\n", "delay notice\n"}[k]...)
}

// appendIntroduction appends the first paragraph. By its first words programs know a bounce of qmail, and take each
// recipient in it for one that has failed.
func (b Bounce) appendIntroduction(h []byte, k kind) []byte {
	if k == failure {
		h = append(h, "Hi. This is the qmail-send program at "...)
	} else {
		h = append(h, "This is a notice from the qmail-send program at "...)
	}
	h = append(h, b.names.Host...)
	switch {
	case k == delay:
		return append(h, ".\nYour message has not been delivered to the following addresses yet.\n"+
			"You need not send it again: I keep trying.\n\n"...)
	case k == failuresToo:
		return append(h, ".\nThis is what became of your message at the following addresses.\n"+
			"Where it failed I've given up. Sorry it didn't work out.\n\n"...)
	case k == success:
		return append(h, ".\nYou asked to be told what becomes of your message at the following addresses.\n\n"...)
	case b.double:
		return append(h, ".\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n"...)
	}
	return append(h, ".\nI'm afraid I wasn't able to deliver your message to the following addresses.\n"+
		"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"...)
}

func (b Bounce) appendReturnPath(h []byte) []byte {
	h = append(h, "Return-Path: <"...)
	h = append(h, ascii.OneLine(rfc822.Quote(b.original))...)
	return append(h, ">\n"...)
}

// copyLines copies whole lines, at most so many bytes, and then end.
func copyLines(w io.Writer, r io.Reader, limit int64, end string) error {
	return eachLine(r, func(line []byte, begins bool) (bool, error) {
		if limit -= int64(len(line)); limit < 0 {
			_, err := io.WriteString(w, end)
			return false, err
		}
		_, err := w.Write(line)
		return true, err
	})
}

// eachLine calls f for each line, or for each piece of a long one, of which only the first begins it, until it says
// that this is enough.
func eachLine(r io.Reader, f func(line []byte, begins bool) (more bool, err error)) error {
	lines := bufio.NewReaderSize(r, 4096)
	for begins := true; ; {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		if len(line) > 0 {
			if more, err := f(line, begins); err != nil || !more {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		begins = err == nil
	}
}
