package rfc822

import (
	"errors"
	"strings"
)

// A Kind is what a token of RFC 822 is.
type Kind uint8

const (
	Atom    Kind = iota + 1
	Quoted       // "..."; Text is what stands inside, its backslashes resolved
	Literal      // [...]; Text likewise
	Comment      // (...); Text likewise, without the parentheses of comments inside
	Left         // <
	Right        // >
	At
	Comma
	Semi
	Colon
	Dot
)

// A Token is one lexical symbol of a structured header field; Text is empty for the specials.
type Token struct {
	Kind Kind
	Text string
}

// ErrSyntax says that bytes are no sequence of tokens, or tokens no list of addresses.
var ErrSyntax = errors.New("rfc822: syntax error")

// Tokenize cuts the body of a structured field, or an address, into tokens; see RFC 822, 3.3. Blanks and line ends
// between tokens are dropped. An unclosed quoted string, literal or comment is ErrSyntax, and so is a ) or ]
// that closes nothing. A backslash in an atom takes the next byte as it is. An atom that holds bytes
// which no atom may hold becomes a quoted string.
func Tokenize(s string) ([]Token, error) {
	n := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; special(c) != 0 || blank(c) {
			n++
		}
	}
	tokens := make([]Token, 0, n+2)
	for i := 0; i < len(s); {
		c := s[i]
		if blank(c) {
			i++
			continue
		}
		if k := special(c); k != 0 {
			tokens = append(tokens, Token{Kind: k})
			i++
			continue
		}
		var t Token
		switch c {
		case ')', ']':
			return nil, ErrSyntax
		case '"':
			t, i = enclosed(s, i+1, Quoted, '"')
		case '[':
			t, i = enclosed(s, i+1, Literal, ']')
		case '(':
			t, i = comment(s, i+1)
		default:
			t, i = atom(s, i)
		}
		if i < 0 {
			return nil, ErrSyntax
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// special returns the kind of a token that is a single byte, or 0.
func special(c byte) Kind {
	switch c {
	case '<':
		return Left
	case '>':
		return Right
	case '@':
		return At
	case ',':
		return Comma
	case ';':
		return Semi
	case ':':
		return Colon
	case '.':
		return Dot
	}
	return 0
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// enclosed reads from s[i], just after the opening byte, to the byte that closes it, and returns where the next
// token may begin, or -1.
func enclosed(s string, i int, k Kind, closing byte) (Token, int) {
	start := i
	for i < len(s) && s[i] != closing && s[i] != '\\' {
		i++
	}
	if i < len(s) && s[i] == closing {
		return Token{k, s[start:i]}, i + 1
	}
	text := append([]byte(nil), s[start:i]...)
	for ; i < len(s) && s[i] != closing; i++ {
		if s[i] == '\\' {
			if i++; i == len(s) {
				break
			}
		}
		text = append(text, s[i])
	}
	if i == len(s) {
		return Token{}, -1
	}
	return Token{k, string(text)}, i + 1
}

// comment is enclosed for a comment, which may hold comments.
func comment(s string, i int) (Token, int) {
	var text []byte
	for level := 1; i < len(s); i++ {
		switch s[i] {
		case '(':
			level++
			continue
		case ')':
			if level--; level == 0 {
				return Token{Comment, string(text)}, i + 1
			}
			continue
		case '\\':
			if i++; i == len(s) {
				return Token{}, -1
			}
		}
		text = append(text, s[i])
	}
	return Token{}, -1
}

// atom reads an atom that begins at s[i].
func atom(s string, i int) (Token, int) {
	start := i
	for i < len(s) && s[i] != '\\' && !endsAtom(s[i]) {
		i++
	}
	text := s[start:i]
	if i < len(s) && s[i] == '\\' {
		b := []byte(text)
		for ; i < len(s) && !endsAtom(s[i]); i++ {
			if s[i] == '\\' {
				if i++; i == len(s) {
					return Token{}, -1
				}
			}
			b = append(b, s[i])
		}
		text = string(b)
	}
	return Token{atomKind(text), text}, i
}

func endsAtom(c byte) bool {
	return blank(c) || special(c) != 0 || c == '"' || c == '(' || c == '['
}

// atomKind is Quoted for a text that cannot be written as an atom. A space or a dot, which only a backslash can
// have brought into it, is let through.
func atomKind(text string) Kind {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ', c == '.':
		case c < ' ', c > 126, c == ')', c == ']', c == '\\', endsAtom(c):
			return Quoted
		}
	}
	return Atom
}

// Text returns the bytes that tokens stand for, as an address in an envelope: no quotes, no blanks,
// no comments.
func Text(tokens []Token) string {
	var b strings.Builder
	for _, t := range tokens {
		switch t.Kind {
		case Atom, Quoted:
			b.WriteString(t.Text)
		case Literal:
			b.WriteByte('[')
			b.WriteString(t.Text)
			b.WriteByte(']')
		case Comment:
		default:
			b.WriteByte(specialByte(t.Kind))
		}
	}
	return b.String()
}

func specialByte(k Kind) byte {
	switch k {
	case Left:
		return '<'
	case Right:
		return '>'
	case At:
		return '@'
	case Comma:
		return ','
	case Semi:
		return ';'
	case Colon:
		return ':'
	}
	return '.'
}
