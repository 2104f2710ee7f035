package lists

import "qmail/internal/text/ascii"

// Patterns are the lines of a file: a pattern each, or one behind "!" that takes back what those before it have said.
// In a pattern * stands for anything, ? for one byte, [...] for one of those in it and [^...] for one of no such, and
// \ has the next byte stand for itself. Case does not matter.
type patterns []string

// match reports whether the last line that fits is one that names the address.
func (p patterns) match(address string) (bad bool) {
	for _, l := range p {
		if l[0] != '!' {
			bad = bad || fits(l, address)
		} else if bad {
			bad = !fits(l[1:], address)
		}
	}
	return bad
}

// fits compares a whole address with a pattern.
func fits(pattern, s string) bool { return ascii.MatchBy(pattern, s, one) }

// one compares a byte with the beginning of a pattern, and returns how much of the pattern that is.
func one(pattern string, c byte) (n int, ok bool) {
	c = ascii.LowerByte(c)
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, ascii.LowerByte(pattern[1]) == c
		}
	case '[':
		if n, ok, closed := class(pattern, c); closed {
			return n, ok
		}
	}
	return 1, ascii.LowerByte(pattern[0]) == c
}

// class compares a byte with a class; closed is false where it has no end, and then it is none.
func class(pattern string, c byte) (n int, ok, closed bool) {
	i, not := 1, false
	if i < len(pattern) && pattern[i] == '^' {
		not = true
		i++
	}
	for first := true; i < len(pattern) && (pattern[i] != ']' || first); first = false {
		low, high := ascii.LowerByte(pattern[i]), ascii.LowerByte(pattern[i])
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = ascii.LowerByte(pattern[i+2])
			i += 2
		}
		ok = ok || low <= c && c <= high
		i++
	}
	return i + 1, ok != not, i < len(pattern)
}
