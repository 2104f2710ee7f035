package bounce

import (
	"bufio"
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
	lines := bufio.NewReaderSize(r, 4096)
	var b []byte
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		ends := len(line) == 1 && line[0] == '\n' && (len(b) == 0 || b[len(b)-1] == '\n')
		if !ends && len(b)+len(line) <= maxText {
			b = append(b, line...)
		}
		if (ends || err == io.EOF) && len(b) > 0 {
			if e := f(parse(b)); e != nil {
				return e
			}
			b = b[:0]
		}
		if err == io.EOF {
			return nil
		}
	}
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
