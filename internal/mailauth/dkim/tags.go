package dkim

import (
	"bytes"
	"encoding/base64"
	"errors"
)

var errTags = errors.New("the list of tags is malformed")

// A tag is one of a list: RFC 6376, section 3.2. Start and end are where its value stands, with all blanks around it.
type tag struct {
	name, value string
	start, end  int
}

type tags []tag

// parseTags reads a list of tags. A name that comes twice makes the list worthless.
func parseTags(b []byte) (tags, error) {
	var list tags
	for at := 0; at < len(b); {
		end := len(b)
		if i := bytes.IndexByte(b[at:], ';'); i >= 0 {
			end = at + i
		}
		part := b[at:end]
		equals := bytes.IndexByte(part, '=')
		if equals < 0 {
			if len(trim(part)) == 0 && end == len(b) && len(list) > 0 {
				break // after the last semicolon
			}
			return nil, errTags
		}
		t := tag{name: string(trim(part[:equals])), value: string(trim(part[equals+1:])), start: at + equals + 1, end: end}
		if _, twice := list.get(t.name); twice || !isTagName(t.name) || !isValue(t.value) || len(list) == maxTags {
			return nil, errTags
		}
		list, at = append(list, t), end+1
	}
	return list, nil
}

// maxTags is how many tags a list may have. There are 15 of signatures, and 9 of keys.
const maxTags = 100

func (l tags) get(name string) (value string, ok bool) {
	for _, t := range l {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// trim takes off what a folded line has around a value.
func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

func isTagName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if letter := 'a' <= c && c <= 'z'; !letter && (i == 0 || s[i] != '_' && (s[i] < '0' || s[i] > '9')) {
			return false
		}
	}
	return s != ""
}

// isValue reports whether a value has no control byte but what folds a line. RFC 8616 lets it be UTF-8.
func isValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 127 {
			return false
		}
	}
	return true
}

// unfold takes all blanks out of a value.
func unfold(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			b = append(b, c)
		}
	}
	return string(b)
}

// decode64 decodes base64 that may be folded.
func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(unfold(s)) }

// words parts a list by colons.
func words(s string) []string {
	var list []string
	for w := range bytes.SplitSeq([]byte(s), []byte(":")) {
		list = append(list, string(trim(w)))
	}
	return list
}

// number reads digits, at most as many as RFC 6376 lets a number have in practice.
func number(s string) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || len(s) > 12 {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, s != ""
}
