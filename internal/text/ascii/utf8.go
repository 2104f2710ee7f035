package ascii

// UTF8 returns how many bytes of text a character of several bytes has that it begins with (RFC 3629); 0: it begins
// with none, or with one that is a control character. A terminal takes no byte of such a character for a control byte.
func UTF8(text string) int {
	if text == "" {
		return 0
	}
	n, first, least := 0, rune(0), rune(0)
	switch c := text[0]; {
	case c >= 0xf8:
		return 0
	case c >= 0xf0:
		n, first, least = 4, rune(c&7), 0x10000
	case c >= 0xe0:
		n, first, least = 3, rune(c&15), 0x800
	case c >= 0xc0:
		n, first, least = 2, rune(c&31), 0xa0
	default:
		return 0
	}
	if len(text) < n {
		return 0
	}
	r := first
	for i := 1; i < n; i++ {
		if text[i]&0xc0 != 0x80 {
			return 0
		}
		r = r<<6 | rune(text[i]&63)
	}
	if r < least || r > 0x10ffff || 0xd800 <= r && r < 0xe000 {
		return 0
	}
	return n
}

// IsASCII reports whether s has no byte over 127.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > 127 {
			return false
		}
	}
	return true
}

// IsText reports whether s is UTF-8 without control characters, those between U+0080 and U+009F included.
func IsText(s string) bool {
	for i := 0; i < len(s); {
		n := 1
		if s[i] > 127 {
			n = UTF8(s[i:])
		}
		if n == 0 || IsControl(s[i]) {
			return false
		}
		i += n
	}
	return true
}
