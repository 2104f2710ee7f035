package plugins

import (
	"errors"
	"strings"

	"qmail/internal/text/ascii"
)

// An order is one line of what a plugin prints: a letter, or one of LM, LR and LD, and a text.
type order struct{ verb, text string }

const (
	// maxOutput, maxOrders and maxLine bound what one plugin says.
	maxOutput, maxOrders, maxLine = 64 << 10, 100, 1000
	// maxText is how much of a text a reply has: a line of it has 512 bytes at most (RFC 5321, section 4.5.3.1.5).
	maxText = 480
)

var (
	errOutput  = errors.New("it says too much")
	errNoEnd   = errors.New("its last line has no end")
	errControl = errors.New("it says a control character")
	errVar     = errors.New("it sets a variable without a name")
	errField   = errors.New("it adds what is no field of a header")
)

// read reads the lines; those that are no orders mean nothing.
func read(output []byte) ([]order, error) {
	var list []order
	text := string(output)
	for text != "" {
		line, rest, ended := strings.Cut(text, "\n")
		text = rest
		switch {
		case !ended:
			return nil, errNoEnd
		case len(line) > maxLine || len(list) == maxOrders:
			return nil, errOutput
		}
		o, ok := parse(strings.TrimSuffix(line, "\r"))
		if !ok {
			continue
		}
		if err := o.check(); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

func parse(line string) (o order, ok bool) {
	n := 1
	switch {
	case line == "":
		return o, false
	case strings.IndexByte("ANOERDSUHCP", line[0]) >= 0:
	case line[0] == 'L' && len(line) > 1 && strings.IndexByte("MRD", line[1]) >= 0:
		n = 2
	default:
		return o, false
	}
	return order{line[:n], line[n:]}, true
}

// check says why an order cannot be obeyed.
func (o order) check() error {
	switch {
	case ascii.HasControl(strings.ReplaceAll(o.text, "\t", " ")):
		return errControl
	case o.verb == "S":
		if name, _, set := strings.Cut(o.text, "="); !set || name == "" {
			return errVar
		}
	case o.verb == "H" && !isField(o.text):
		return errField
	}
	return nil
}

// isField reports whether a line can stand in a header.
func isField(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// reply returns the text of a refusal as a reply. One without a code that refuses is for now.
func reply(text string) string {
	text = text[:min(maxText, len(text))]
	if code, _, _ := strings.Cut(text, " "); len(code) == 3 && len(text) > 4 && (code[0] == '4' || code[0] == '5') &&
		digit(code[1]) && digit(code[2]) {
		return text
	}
	if text == "" {
		text = "not now (#4.3.0)"
	}
	return "451 " + text
}

// line returns the text of a line that the client is told, without a code in front.
func line(text string) string {
	text = text[:min(maxText, len(text))]
	if len(text) >= 3 && digit(text[0]) && digit(text[1]) && digit(text[2]) &&
		(len(text) == 3 || text[3] == ' ' || text[3] == '-') {
		return text[min(4, len(text)):]
	}
	return text
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
