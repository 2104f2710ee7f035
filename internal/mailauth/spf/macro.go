package spf

import (
	"strconv"
	"strings"

	"qmail/internal/text/ascii"
)

// A macro is one of a macro string, "%{ir2.-}": RFC 7208, section 7.
type macro struct {
	letter     byte
	keep       int // how many parts from the right; 0: all
	reverse    bool
	delimiters string
}

const delimiters = ".-+,/_="

// parseMacro reads a macro from where it begins, and returns its length; 0 where there is none that is right.
func parseMacro(s string, explanation bool) (macro, int) {
	end := strings.IndexByte(s, '}')
	if len(s) < 4 || s[1] != '{' || end < 3 {
		return macro{}, 0
	}
	m := macro{letter: s[2]}
	letters := "slodiphv"
	if explanation {
		letters += "crt"
	}
	if !letter(m.letter) || strings.IndexByte(letters, m.letter|0x20) < 0 {
		return macro{}, 0
	}
	rest := s[3:end]
	n := 0
	for n < len(rest) && digit(rest[n]) {
		n++
	}
	if n > 0 {
		var err error
		if m.keep, err = strconv.Atoi(rest[:n]); err != nil || m.keep == 0 {
			return macro{}, 0
		}
		rest = rest[n:]
	}
	if rest != "" && rest[0]|0x20 == 'r' {
		m.reverse, rest = true, rest[1:]
	}
	for i := 0; i < len(rest); i++ {
		if strings.IndexByte(delimiters, rest[i]) < 0 {
			return macro{}, 0
		}
	}
	m.delimiters = rest
	return m, end + 1
}

// walk takes a macro string apart, and reports whether its syntax is right.
func walk(s string, explanation bool, text func(string), expand func(macro)) bool {
	for s != "" {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			i = len(s)
		}
		text(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		if len(s) < 2 {
			return false
		}
		switch s[1] {
		case '%':
			text("%")
			s = s[2:]
		case '_':
			text(" ")
			s = s[2:]
		case '-':
			text("%20")
			s = s[2:]
		default:
			m, n := parseMacro(s, explanation)
			if n == 0 {
				return false
			}
			expand(m)
			s = s[n:]
		}
	}
	return true
}

func isMacroString(s string, explanation bool) bool {
	return walk(s, explanation, func(string) {}, func(macro) {})
}

// isDomainSpec reports whether s is a macro string that ends as a domain does: in a macro, or in a label that is not
// all digits.
func isDomainSpec(s string) bool {
	if s == "" || !isMacroString(s, false) {
		return false
	}
	if s[len(s)-1] == '}' {
		if i := strings.LastIndex(s, "%{"); i >= 0 {
			if _, n := parseMacro(s[i:], false); n == len(s)-i {
				return true
			}
		}
	}
	s = strings.TrimSuffix(s, ".")
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return false
	}
	return isTopLabel(s[i+1:])
}

func isTopLabel(s string) bool {
	plain := false
	for i := 0; i < len(s); i++ {
		switch {
		case letter(s[i]):
			plain = true
		case s[i] == '-':
			if i == 0 || i == len(s)-1 {
				return false
			}
			plain = true
		case !digit(s[i]):
			return false
		}
	}
	return plain
}

// maxExpanded bounds what macros may grow to before it is cut to the length of a name.
const maxExpanded = 8192

// expand replaces the macros of a domain-spec; what is too long for a name loses labels from its left.
func (c *check) expand(spec, domain string) (string, error) {
	var b strings.Builder
	var failed error
	walk(spec, false, func(s string) { b.WriteString(s) }, func(m macro) {
		if b.Len() > maxExpanded {
			failed = errPerm
		}
		if failed != nil {
			return
		}
		value, err := c.value(m.letter|0x20, domain)
		if err != nil {
			failed = err
			return
		}
		b.WriteString(m.apply(value))
	})
	if failed != nil {
		return "", failed
	}
	s := strings.TrimSuffix(b.String(), ".")
	for len(s) > 253 {
		_, rest, ok := strings.Cut(s, ".")
		if !ok {
			return "", errPerm
		}
		s = rest
	}
	return s, nil
}

func (c *check) value(letter byte, domain string) (string, error) {
	switch letter {
	case 's':
		return c.local + "@" + c.origin, nil
	case 'l':
		return c.local, nil
	case 'o':
		return c.origin, nil
	case 'd':
		return domain, nil
	case 'h':
		return c.helo, nil
	case 'v':
		if c.ip.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'i':
		return dotted(c), nil
	}
	names, err := c.validated()
	if err != nil {
		return "", err
	}
	best := "unknown"
	for i, n := range names {
		if ascii.Equal(n, domain) {
			return n, nil
		}
		if below(n, domain) && !below(best, domain) || i == 0 {
			best = n
		}
	}
	return best, nil
}

// dotted is the client's address in parts that dots separate.
func dotted(c *check) string {
	if c.ip.Is4() {
		return c.ip.String()
	}
	const hex = "0123456789abcdef"
	raw := c.ip.As16()
	b := make([]byte, 0, 63)
	for i, x := range raw {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, hex[x>>4], '.', hex[x&15])
	}
	return string(b)
}

// apply does to a value what the macro says.
func (m macro) apply(value string) string {
	cut := m.delimiters
	if cut == "" {
		cut = "."
	}
	parts := split(value, cut)
	if m.reverse {
		for i, k := 0, len(parts)-1; i < k; i, k = i+1, k-1 {
			parts[i], parts[k] = parts[k], parts[i]
		}
	}
	if m.keep > 0 && m.keep < len(parts) {
		parts = parts[len(parts)-m.keep:]
	}
	value = strings.Join(parts, ".")
	if m.letter < 'a' {
		return escape(value)
	}
	return value
}

// split cuts at each of the bytes.
func split(s, cut string) []string {
	var parts []string
	for {
		i := strings.IndexAny(s, cut)
		if i < 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:i])
		s = s[i+1:]
	}
}

// escape writes a value as in a URL.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if letter(c) || digit(c) || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
