// Package ascii folds case byte by byte. Addresses are bytes, not Unicode: the Kelvin sign
// is not a k.
package ascii

// Lower folds A-Z in b in place, and nothing else.
func Lower(b []byte) {
	for i, c := range b {
		b[i] = LowerByte(c)
	}
}

// LowerByte folds one byte.
func LowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// LowerString returns s folded.
func LowerString(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			Lower(b)
			return string(b)
		}
	}
	return s
}

// Equal reports whether a and b are the same but for case.
func Equal(a, b string) bool { return len(a) == len(b) && HasPrefix(a, b) }

// HasPrefix reports whether s begins with prefix, case aside.
func HasPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		if LowerByte(s[i]) != LowerByte(prefix[i]) {
			return false
		}
	}
	return true
}

// IsControl reports whether c is a control byte, which no address may have: what it means depends on who reads it.
func IsControl(c byte) bool { return c < ' ' || c == 127 }

// HasControl reports whether s has a control byte.
func HasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if IsControl(s[i]) {
			return true
		}
	}
	return false
}

// OneLine returns what somebody else chose, as an address, for a line of a header that we write: every control byte
// becomes _, so that it cannot end the line, nor look to anybody as if it did.
func OneLine(s string) string {
	if !HasControl(s) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if IsControl(c) {
			b[i] = '_'
		}
	}
	return string(b)
}

// Match reports whether s is as pattern says, case aside. A star stands for any bytes.
func Match(pattern, s string) bool {
	return MatchBy(pattern, s, func(p string, c byte) (int, bool) { return 1, LowerByte(p[0]) == LowerByte(c) })
}

// MatchBy is Match for patterns in which more has a meaning: one compares a byte with the beginning of what is left of
// a pattern, which is not empty and begins with no star, and returns how much of the pattern that is. It goes back to
// the last star only, so that it takes at most the product of both lengths.
func MatchBy(pattern, s string, one func(pattern string, c byte) (n int, ok bool)) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		n, ok := 0, false
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, mark = p, i
				p++
				continue
			}
			n, ok = one(pattern[p:], s[i])
		}
		switch {
		case ok:
			p += n
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
