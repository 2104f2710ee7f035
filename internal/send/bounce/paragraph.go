package bounce

import (
	"bytes"
	"io"

	"qmail/internal/text/ascii"
)

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

// maxText is how much of the text about one recipient is kept.
const maxText = 32 << 10

// A paragraph is one that was read.
type paragraph struct {
	recipient []byte // as it is shown; nil where the paragraph names none
	text      []byte // what stands behind the recipient, or all where there is none
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
		p.recipient, p.text = first[1:len(first)-2], rest
	}
	p.whole = append(b, '\n')
	return p
}
