package rfc822

import "qmail/internal/text/ascii"

// lineLength is how long a line of a rewritten field may become, with two bytes to spare for a break.
const lineLength = 78

// AppendField appends a field, its name, a colon, the tokens and a newline. Lines that would be long are broken after
// commas, as "\n  ".
func AppendField(b []byte, name string, tokens []Token) []byte {
	line := len(b) // where the line begins
	brk := -1      // after the last comma on it, where it may still be broken
	b = append(b, name...)
	b = append(b, ':')
	last := Colon
	domain := false
	for i, t := range tokens {
		if spaceBetween(last, t.Kind) {
			b = append(b, ' ')
		}
		domain = t.Kind == At || domain && (last == At || last == Dot || t.Kind == Dot)
		if domain && t.Kind == Quoted && isUTF8Atom(t.Text) {
			t.Kind = Atom // no domain is quoted
		}
		b = appendToken(b, t)
		if t.Kind == Comma || i == len(tokens)-1 {
			b, line, brk = fold(b, line, brk)
		}
		last = t.Kind
	}
	return append(b, '\n')
}

// isUTF8Atom reports whether text may be written as an atom that has characters of RFC 6532.
func isUTF8Atom(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] <= 127 && !atomByte(text[i]) {
			return false
		}
	}
	return !ascii.IsASCII(text) && ascii.IsText(text)
}

// fold breaks the line at brk if what was added behind it made it too long.
func fold(b []byte, line, brk int) (_ []byte, newLine, newBrk int) {
	if brk >= 0 && brk < len(b) && len(b)-line > lineLength {
		b = append(b, 0, 0)
		copy(b[brk+2:], b[brk:])
		b[brk], b[brk+1] = '\n', ' '
		line = brk + 1
	}
	return b, line, len(b)
}

// spaceBetween reports whether a blank is written between two tokens.
func spaceBetween(a, b Kind) bool {
	switch {
	case a == Colon, a == Comma, b == Left:
		return true
	}
	return word(a) && word(b)
}

func word(k Kind) bool { return k == Atom || k == Quoted || k == Literal || k == Comment }

func appendToken(b []byte, t Token) []byte {
	switch t.Kind {
	case Atom:
		return append(b, t.Text...)
	case Quoted:
		return append(appendEscaped(append(b, '"'), t.Text), '"')
	case Literal:
		return append(appendEscaped(append(b, '['), t.Text), ']')
	case Comment:
		return append(appendEscaped(append(b, '('), t.Text), ')')
	}
	return append(b, specialByte(t.Kind))
}

func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '[', ']', '(', ')', '\\', '\r', '\n':
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return b
}
