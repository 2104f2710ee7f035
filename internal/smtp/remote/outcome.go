package remote

import (
	"errors"
	"net/netip"
	"os"
	"strings"

	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/ascii"
	"qmail/internal/text/dsn"
)

// A place is how far a transaction came.
type place uint8

const (
	atGreeting place = iota // nothing was understood yet
	atHello                 // EHLO or HELO
	atMail
	atRecipients
	atData // the DATA command
	atBody // the message: the final dot was not sent
	atEnd  // the answer to the final dot
)

// An answer is one part of the report: its letter, or 0 for none, and its text.
type answer struct {
	letter byte
	text   string
}

// An outcome is what one transaction came to.
type outcome struct {
	// What the host was asked for.
	first      bool // it was the first on its connection
	ehlo       bool
	pipelined  bool
	parameters bool
	asked      dsn.Record // and told that the sender asks for this
	alone      bool       // for one recipient
	taken      int        // recipients that the connection had accepted before
	honest     bool       // the host is known to refuse whatever the way
	remedy     tcpto.Ways // what to leave out on another connection, where none could be had for mail; 0: nothing
	peer       netip.Addr

	everywhere bool // another address of the host would say the same
	place      place
	ours       bool     // the trouble is our own, with the message
	tooLarge   bool     // for what the host said that it takes
	code       uint64   // the reply that ended it; 0: none came
	silent     bool     // none came in time
	said       string   // the text of that reply
	recipients []answer // r, h or s for each that was asked
	message    answer   // K, Z or D
}

// asks reports whether the host was told of something that the sender asks for.
func (o *outcome) asks() bool {
	return o.asked.Message != dsn.Message{} || o.asked.Recipient != dsn.Recipient{}
}

// accepted reports whether the i-th recipient has the message.
func (o *outcome) accepted(i int) bool {
	return o.message.letter == success && i < len(o.recipients) && o.recipients[i].letter == 'r'
}

// maybe reports whether the i-th recipient may have the message: the final dot was sent, and no answer came.
func (o *outcome) maybe(i int) bool {
	return o.place == atEnd && o.code == 0 && i < len(o.recipients) && o.recipients[i].letter == 'r'
}

// soften returns a refusal of one recipient that could not be asked for again: where the dialogue may have been to
// blame it bounces nothing.
func soften(o *outcome) *outcome {
	if o.sober() {
		return o
	}
	x := *o
	if x.message.letter == failure {
		x.message.letter = deferral
	}
	if len(x.recipients) > 0 && x.recipients[0].letter == 'h' {
		x.recipients = []answer{{'s', x.recipients[0].text}}
	}
	return &x
}

// plain reports whether the host was asked as qmail has asked since 1998, EHLO aside.
func (o *outcome) plain() bool { return o.alone && o.first && !o.pipelined && !o.parameters }

// sober reports whether a refusal is about an address, a message or a client, not about the dialogue.
func (o *outcome) sober() bool {
	if status := statusOf(o.said); status != "" {
		return status[2:4] != "5." && o.code != closing
	}
	switch o.code {
	case 450, 451, 452, 550, 551, 552, 553:
		return true
	}
	return false
}

// A kind names refusals that have one reason: the place, the code, and the status code of RFC 3463 or, where there
// is none, the text without the address.
type kind struct {
	place place
	code  uint64
	text  string
}

func (o *outcome) kind(addr string) kind {
	if status := statusOf(o.said); status != "" {
		return kind{o.place, o.code, status}
	}
	text := strings.ReplaceAll(ascii.LowerString(o.said), ascii.LowerString(addr), "")
	if i := strings.LastIndexByte(addr, '@'); i > 0 {
		text = strings.ReplaceAll(text, ascii.LowerString(addr[:i]), "")
	}
	return kind{o.place, o.code, text}
}

// statusOf returns the status code behind the code of a reply, as "5.1.1", or nothing.
func statusOf(said string) string {
	if len(said) < 9 {
		return ""
	}
	s := said[4:]
	if i := strings.IndexAny(s, " \n"); i >= 0 {
		s = s[:i]
	}
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if !ok || len(class) != 1 || !digits(class) || !digits(subject) || !digits(detail) {
		return ""
	}
	return s
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 3
}

// timedOut reports whether an error is that time has run out.
func timedOut(err error) bool {
	var n interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
