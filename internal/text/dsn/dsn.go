// Package dsn is what a sender asks for beside an address: delivery status notifications (RFC 3461), in MAIL and RCPT
// commands, in the queue, and on the way to whoever delivers.
package dsn

import (
	"strconv"
	"strings"

	"qmail/internal/text/ascii"
)

const (
	// MaxEnvID and MaxOrcpt are the most bytes of ENVID and of ORCPT, in xtext.
	MaxEnvID, MaxOrcpt = 100, 500
	// MaxRecord exceeds every record of an address that qmail-queue takes, and bounds those that are read.
	MaxRecord = 8 << 10
	// MaxRecords is the most bytes of the records of a message that come with its envelope.
	MaxRecords = 64 << 10
	// maxSet is the most bytes of records of which a Set is made; it exceeds what MaxRecords come to with the addresses
	// in the place of the numbers, unless these are of a length that is none of mail's.
	maxSet = 512 << 10
)

// Variable is the environment variable in which a program that sends finds the Record of a delivery.
const Variable = "QMAILDSN"

// NoFailure begins the text of a paragraph in the file of a bounce that tells of something else.
const NoFailure = "This is no failure"

// PassedOn ends the first line of the report of a delivery to a host that has taken over what was asked for.
const PassedOn = " accepted message and what its sender asked for.\n"

// Notify says when a sender wants to be told of a recipient. 0 is what is usual: of failures.
type Notify uint8

// What NOTIFY may say; Never stands alone.
const (
	Success Notify = 1 << iota
	Failure
	Delay
	Never
)

var words = [...]string{"SUCCESS", "FAILURE", "DELAY", "NEVER"}

// Wants reports whether the sender is to be told of this.
func (n Notify) Wants(what Notify) bool { return n == 0 && what == Failure || n&what != 0 }

// String returns the value of a NOTIFY parameter, "" for 0.
func (n Notify) String() string {
	s := ""
	for i, w := range words {
		if n&(1<<i) != 0 {
			if s != "" {
				s += ","
			}
			s += w
		}
	}
	return s
}

// ParseNotify reads the value of a NOTIFY parameter.
func ParseNotify(s string) (n Notify, ok bool) {
	for _, word := range strings.Split(s, ",") {
		one := Notify(0)
		for i, w := range words {
			if ascii.Equal(word, w) {
				one = 1 << i
			}
		}
		if one == 0 || n&one != 0 {
			return 0, false
		}
		n |= one
	}
	return n, n&Never == 0 || n == Never
}

// A Message is what is asked for about a message.
type Message struct {
	Ret   string // FULL, HDRS, or nothing
	EnvID string // in xtext
}

// A Recipient is what is asked for about a recipient.
type Recipient struct {
	Notify Notify
	Orcpt  string // a type, a semicolon, and the address in xtext
}

// ParseRet reads the value of a RET parameter.
func ParseRet(s string) (string, bool) {
	for _, ret := range [...]string{"FULL", "HDRS"} {
		if ascii.Equal(s, ret) {
			return ret, true
		}
	}
	return "", false
}

// IsEnvID reports whether s is the value of an ENVID parameter.
func IsEnvID(s string) bool { return len(s) <= MaxEnvID && isXtext(s) && isPlain(Text(s)) }

// IsOrcpt reports whether s is the value of an ORCPT parameter.
func IsOrcpt(s string) bool {
	kind, addr, ok := strings.Cut(s, ";")
	return ok && len(s) <= MaxOrcpt && isAtom(kind) && isXtext(addr) && isPlain(Text(addr))
}

func isAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 127 || strings.IndexByte("()<>@,;:\\\".[]+=", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isPlain reports whether there are no control bytes in what goes into reports.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if ascii.IsControl(s[i]) {
			return false
		}
	}
	return true
}

// isXtext reports whether s is xtext, at least one byte of it.
func isXtext(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) || !upperHex(s[i+1]) || !upperHex(s[i+2]) {
				return false
			}
			i += 2
		} else if c <= ' ' || c >= 127 || c == '=' {
			return false
		}
	}
	return s != ""
}

func upperHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

// Xtext returns s in xtext.
func Xtext(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		plain = plain && inXtext(s[i])
	}
	if plain {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		if c := s[i]; inXtext(c) {
			b = append(b, c)
		} else {
			const digits = "0123456789ABCDEF"
			b = append(b, '+', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func inXtext(c byte) bool { return ' ' < c && c < 127 && c != '+' && c != '=' }

// Text returns what xtext stands for.
func Text(s string) string {
	if strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
