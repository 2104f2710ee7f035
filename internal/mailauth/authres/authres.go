// Package authres writes the field in which a receiver says what it found out about a message, and finds those that
// others wrote in its name: RFC 8601.
package authres

import (
	"bytes"
	"strings"

	"qmail/internal/text/ascii"
)

// FieldName is the name of the field.
const FieldName = "Authentication-Results"

// A Result is what one method found out.
type Result struct {
	Method     string // "spf"
	Value      string // "pass"
	Comment    string // in parentheses behind it; may be empty
	Properties []Property
}

// A Property is what a result is about: "smtp.mailfrom" and its value. With an empty value it is left out.
type Property struct{ Name, Value string }

// Append writes the field of a receiver, in lines that end in LF.
func Append(b []byte, id string, results []Result) []byte {
	b = append(b, FieldName+": "...)
	b = appendValue(b, id)
	if len(results) == 0 {
		b = append(b, "; none"...)
	}
	for _, r := range results {
		b = append(b, ";\n  "...)
		b = append(append(append(b, r.Method...), '='), r.Value...)
		if r.Comment != "" {
			b = append(b, " ("...)
			b = appendComment(b, r.Comment)
			b = append(b, ')')
		}
		for _, p := range r.Properties {
			if p.Value != "" {
				b = append(append(append(b, ' '), p.Name...), '=')
				b = appendValue(b, p.Value)
			}
		}
	}
	return append(b, '\n')
}

// maxValue bounds what is shown of a stranger's text.
const maxValue = 320

// appendValue writes a value: as it is where it is a token or an address, else as a quoted string. Bytes that are not
// printable ASCII become question marks.
func appendValue(b []byte, s string) []byte {
	s = s[:min(len(s), maxValue)]
	plain := s != ""
	for i := 0; i < len(s); i++ {
		plain = plain && isToken(s[i])
	}
	if plain {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func isToken(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(".-_@+!#$%&'*^`{|}~", c) >= 0
}

func appendComment(b []byte, s string) []byte {
	s = s[:min(len(s), maxValue)]
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c > '~' || c == '(' || c == ')' || c == '\\' {
			c = '?'
		}
		b = append(b, c)
	}
	return b
}

// Claims reports whether a field, with its name and all its lines, is of this kind and says that it was written by
// id, or could be read so: what cannot be understood counts as a claim.
func Claims(field []byte, id string) bool {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok || !ascii.Equal(string(bytes.TrimRight(name, " \t")), FieldName) {
		return false
	}
	first, ok := firstToken(value)
	return !ok || ascii.Equal(strings.TrimSuffix(first, "."), id)
}

// firstToken returns the name of the receiver, without the comments and line ends before it, and without quotes. Ok is
// false where a comment or a string does not end.
func firstToken(s []byte) (string, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case depth > 0 && c == '\\':
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0 || c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '"':
			return quoted(s[i+1:])
		default:
			end := bytes.IndexAny(s[i:], "; \t\r\n(/")
			if end < 0 {
				end = len(s) - i
			}
			return string(s[i : i+end]), true
		}
	}
	return "", depth == 0
}

func quoted(s []byte) (string, bool) {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return string(b), true
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b = append(b, s[i])
	}
	return "", false
}
