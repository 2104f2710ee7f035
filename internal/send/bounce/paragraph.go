package bounce

import (
	"bytes"
	"errors"
	"io"

	"qmail/internal/text/ascii"
	"qmail/internal/text/dsn"
)

// An Action is what a paragraph says of its recipient, in the words of RFC 3464.
type Action uint8

// The actions. Relayed is to a host that tells the sender no more, Expanded to several addresses.
const (
	Failed Action = iota
	Delivered
	Relayed
	Expanded
	Delayed
	actions
)

// word returns the value of an Action field.
func (a Action) word() string {
	return [...]string{"failed", "delivered", "relayed", "expanded", "delayed"}[a]
}

// opening begins the text of a paragraph that tells of no failure, and no other. It says so itself, for whoever meets
// it in a classic bounce: a C qmail that has got the queue sends one.
func (a Action) opening() string {
	return [...]string{"",
		dsn.NoFailure + ": your message has been delivered, which you asked to be told.\n",
		dsn.NoFailure + ": your message has been passed on, and nobody may tell you more.\n",
		dsn.NoFailure + ": your message has been passed on to several addresses.\n",
		dsn.NoFailure + " yet: your message has not been delivered. I'm still trying.\n",
	}[a]
}

// class is the first digit of a Status field.
func (a Action) class() string { return [...]string{"5.", "2.", "2.", "2.", "4."}[a] }

// actionOf tells by its opening what a paragraph says; rest is what follows that.
func actionOf(text []byte) (a Action, rest []byte) {
	for a = Delivered; a < actions; a++ {
		if rest, ok := bytes.CutPrefix(text, []byte(a.opening())); ok {
			return a, rest
		}
	}
	return Failed, text
}

// Note appends a paragraph that tells of no failure. text is the report of the delivery.
func Note(b []byte, a Action, recipient string, text []byte) []byte {
	return appendParagraph(b, recipient, append([]byte(a.opening()), text...))
}

// Paragraph appends the paragraph about a recipient, as it is kept in bounce/ID until the bounce is sent. text is the
// report of the delivery, in which control bytes become _ but for tabs and line ends. Only its end has an empty line,
// so that a reader finds the next one.
func Paragraph(b []byte, recipient string, text []byte) []byte {
	if bytes.HasPrefix(text, []byte(dsn.NoFailure)) {
		text = append([]byte("The report of the failure begins with these words:\n"), text...)
	}
	return appendParagraph(b, recipient, text)
}

func appendParagraph(b []byte, recipient string, text []byte) []byte {
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

// maxText is how much of the text about one recipient is kept.
const maxText = 32 << 10

// A paragraph is one that was read.
type paragraph struct {
	recipient []byte // as it is shown; nil where the paragraph names none
	action    Action
	text      []byte // what stands behind recipient and opening, or all where there is neither
	whole     []byte // with the empty line at the end
}

// each calls f for each paragraph of a file, whoever wrote it. What it gets is valid until it returns.
func each(r io.Reader, f func(paragraph) error) error {
	var b []byte
	end := func() (err error) {
		if len(b) > 0 {
			err, b = f(parse(b)), b[:0]
		}
		return err
	}
	err := eachLine(r, func(line []byte, begins bool) (bool, error) {
		if begins && line[0] == '\n' {
			return true, end()
		}
		if len(b)+len(line) <= maxText {
			b = append(b, line...)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return end()
}

func parse(b []byte) (p paragraph) {
	if b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	p.text = b
	if first, rest, _ := bytes.Cut(b, []byte{'\n'}); b[0] == '<' && bytes.HasSuffix(first, []byte(">:")) {
		p.recipient = first[1 : len(first)-2]
		p.action, p.text = actionOf(rest)
	}
	p.whole = append(b, '\n')
	return p
}

// Tells reports whether there is anything in paragraphs that is for the end of a message: more than delays.
func Tells(paragraphs io.ReadSeeker) (tells bool, err error) {
	err = each(paragraphs, func(p paragraph) error {
		tells = tells || p.action != Delayed
		return nil
	})
	return tells, errors.Join(err, rewind(paragraphs))
}

// Warned returns of whose delays paragraphs tell, as they are shown.
func Warned(paragraphs io.Reader) (map[string]bool, error) {
	list := map[string]bool{}
	return list, each(paragraphs, func(p paragraph) error {
		if p.action == Delayed {
			list[string(p.recipient)] = true
		}
		return nil
	})
}
