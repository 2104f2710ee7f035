package smtpd

import "qmail/internal/text/ascii"

// The replies about what SMTPUTF8 (RFC 6531) is for.
const (
	needsUTF8 = "553 sorry, that address needs SMTPUTF8 (#5.6.7)"
	noUTF8    = "553 sorry, that address is not in UTF-8 (#5.6.7)"
	noValue   = "501 SMTPUTF8 has no value (#5.5.4)"
)

// speaksUTF8 reports whether MAIL asks for SMTPUTF8, where EHLO has offered it; to others the word means nothing.
func (s *session) speaksUTF8(p *parameters) (speaks, ok bool) {
	if !s.offeredUTF8 || !p.smtpUTF8.given {
		return false, true
	}
	return true, !p.smtpUTF8.wrong && !p.smtpUTF8.valued
}

// unspeakable returns the refusal of an address that may not be said like this, or nothing. Where SMTPUTF8 is not on
// offer an address is bytes, as it always was.
func (s *session) unspeakable(addr string, international bool) string {
	if ascii.IsASCII(addr) || !s.extensions.Has("smtputf8") {
		return ""
	}
	if !international {
		return needsUTF8
	}
	if !ascii.IsText(addr) {
		return noUTF8
	}
	return ""
}
