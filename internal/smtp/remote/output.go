package remote

import (
	"io"
	"strings"

	"qmail/internal/text/ascii"
)

// outputPiece is how much of the report waits to be written at once.
const outputPiece = 8 << 10

// output is the report: for each recipient a part that begins with r (accepted), h (refused) or s (refused for
// now), then one for the message, K, Z or D. Each ends with a NUL.
type output struct {
	w   io.Writer
	b   []byte
	err error
}

// part adds one part. Control bytes inside it, those of eight bits too where they are no part of a character, become
// question marks: the text is shown on terminals, and others have written it.
func (o *output) part(letter byte, text string) {
	o.b = append(o.b, letter)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if n := ascii.UTF8(text[i:]); n > 0 {
			o.b = append(o.b, text[i:i+n]...)
			i += n - 1
			continue
		}
		if c < ' ' && c != '\n' && c != '\t' || 0x7f <= c && c < 0xa0 {
			c = '?'
		}
		o.b = append(o.b, c)
	}
	o.b = append(o.b, 0)
	if len(o.b) > outputPiece {
		o.flush()
	}
}

// printable returns a name with a question mark for each byte that does not print.
func printable(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

func (o *output) flush() error {
	if o.err == nil && len(o.b) > 0 {
		_, o.err = o.w.Write(o.b)
	}
	o.b = o.b[:0]
	return o.err
}

// report writes the report. A part of a recipient says what became of the transaction that counted for it, unless
// there was one for all: then it says only what became of the recipient in it.
func (c *course) report(o *output) {
	var one *answer // the end of the only transaction
	mixed, asked := false, 0
	for _, e := range c.ended {
		if e.message != nil {
			mixed = mixed || one != nil && one != e.message
			one = e.message
		}
		if e.recipient.letter != 0 {
			asked++
		}
	}
	if one == nil {
		one = &answer{failure, "Giving up.\n"} // no address could be sent
	}
	if !mixed && (asked == 0 || asked == len(c.ended)) {
		for _, e := range c.ended[:asked] {
			o.part(e.recipient.letter, e.recipient.text)
		}
		o.part(one.letter, one.text)
		return
	}
	end := answer{failure, "Giving up on " + c.host() + ".\n"}
	for _, e := range c.ended {
		switch {
		case e.recipient.letter == 'h', e.recipient.letter == 's':
			o.part(e.recipient.letter, e.recipient.text)
		case e.message.letter == success:
			if end.letter != success {
				end = *e.message
			} else if !strings.Contains(end.text, e.message.text) && len(end.text) < maxText {
				end.text += e.message.text
			}
			o.part('r', "")
		case e.message.letter == failure:
			o.part('h', e.message.text)
		default:
			o.part('s', e.message.text)
		}
	}
	o.part(end.letter, end.text)
}

// host is where the last transaction was.
func (c *course) host() string {
	if c.last != nil && c.last.peer.IsValid() {
		return c.last.peer.String()
	}
	return printable(c.to.host)
}
