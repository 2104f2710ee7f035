package rfc822

import "strings"

// Quote returns an address with its local part quoted where it must be, as it goes between angle
// brackets: "a b"@host. The local part ends at the last @. The empty address stays empty.
func Quote(addr string) string {
	if addr == "" {
		return ""
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return quoteLocal(addr)
	}
	return quoteLocal(addr[:at]) + addr[at:]
}

// QuoteUTF8 is Quote for whom bytes over 127 are parts of atoms (RFC 6532).
func QuoteUTF8(addr string) string {
	plain := []byte(addr[:max(strings.LastIndexByte(addr, '@'), 0)])
	for i, c := range plain {
		if c > 127 {
			plain[i] = 'x'
		}
	}
	if NeedsQuotes(string(plain)) {
		return Quote(addr)
	}
	return addr
}

func quoteLocal(s string) string {
	if !NeedsQuotes(s) {
		return s
	}
	b := make([]byte, 0, 2*len(s)+2)
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\r', '\n', '"', '\\':
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(append(b, '"'))
}

// NeedsQuotes reports whether s is no dot-separated list of atoms.
func NeedsQuotes(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' {
		return true
	}
	for i := 0; i < len(s); i++ {
		if !atomByte(s[i]) && s[i] != '.' || s[i] == '.' && s[i-1] == '.' {
			return true
		}
	}
	return false
}

// atomByte reports whether c may stand in an atom of RFC 822. Bytes over 126 may not.
func atomByte(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '.', '[', ']':
		return false
	}
	return c > ' ' && c < 127
}
