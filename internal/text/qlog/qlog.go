// Package qlog writes the lines of qmail-log(5), and makes text safe for them.
package qlog

import (
	"strconv"

	"qmail/internal/text/report"
)

// Safe appends text as it stands in a log line: a newline becomes a slash, and every byte that is not plain
// printable ASCII becomes an underscore, as do blanks, percent signs and parentheses. So a line has fixed fields
// whatever a remote host or a user's program said.
func Safe(b []byte, text []byte) []byte {
	for _, c := range text {
		b = append(b, safe(c))
	}
	return b
}

// SafeString is Safe for a string.
func SafeString(b []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		b = append(b, safe(text[i]))
	}
	return b
}

func safe(c byte) byte {
	switch {
	case c == '\n':
		return '/'
	case c < 33 || c > 126 || c == '%' || c == '(' || c == ')':
		return '_'
	}
	return c
}

// A Load is how busy one channel is.
type Load struct{ Running, Limit int }

// Status appends the line that follows every change of the number of running deliveries.
func Status(b []byte, local, remote Load, exiting bool) []byte {
	b = append(b, "status: local "...)
	b = load(b, local)
	b = append(b, " remote "...)
	b = load(b, remote)
	if exiting {
		b = append(b, " exitasap"...)
	}
	return append(b, '\n')
}

func load(b []byte, l Load) []byte {
	b = strconv.AppendInt(b, int64(l.Running), 10)
	b = append(b, '/')
	return strconv.AppendInt(b, int64(l.Limit), 10)
}

// NewMsg appends the line that says that a message was found in the queue.
func NewMsg(b []byte, id uint64) []byte {
	b = append(b, "new msg "...)
	b = strconv.AppendUint(b, id, 10)
	return append(b, '\n')
}

// An Info is what the log tells of a new message.
type Info struct {
	ID     uint64
	Bytes  int64  // the length of its text
	Sender string // as in its envelope
	QP     uint64 // the process id of its qmail-queue, or what a kept one has made of it
	UID    uint64 // who injected it
}

// InfoMsg appends the line about a new message.
func InfoMsg(b []byte, m Info) []byte {
	b = append(b, "info msg "...)
	b = strconv.AppendUint(b, m.ID, 10)
	b = append(b, ": bytes "...)
	b = strconv.AppendInt(b, m.Bytes, 10)
	b = append(b, " from <"...)
	b = SafeString(b, m.Sender)
	b = append(b, "> qp "...)
	b = strconv.AppendUint(b, m.QP, 10)
	b = append(b, " uid "...)
	b = strconv.AppendUint(b, m.UID, 10)
	return append(b, '\n')
}

// Starting appends the line at the start of a delivery; channel is "local" or "remote".
func Starting(b []byte, delivery, id uint64, channel, recipient string) []byte {
	b = append(b, "starting delivery "...)
	b = strconv.AppendUint(b, delivery, 10)
	b = append(b, ": msg "...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, " to "...)
	b = append(b, channel...)
	b = append(b, ' ')
	b = SafeString(b, recipient)
	return append(b, '\n')
}

// Delivery appends the line at the end of a delivery. A kind that is none of the three is a mangled report.
func Delivery(b []byte, delivery uint64, kind report.Kind, text []byte) []byte {
	b = append(b, "delivery "...)
	b = strconv.AppendUint(b, delivery, 10)
	switch kind {
	case report.Success:
		b = append(b, ": success: "...)
	case report.Failure:
		b = append(b, ": failure: "...)
	case report.Deferral:
		b = append(b, ": deferral: "...)
	default:
		return append(b, ": report mangled, will defer\n"...)
	}
	b = Safe(b, text)
	return append(b, '\n')
}

// BounceMsg appends the line that says that a bounce was injected with the number qp.
func BounceMsg(b []byte, id, qp uint64) []byte {
	b = append(b, "bounce msg "...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, " qp "...)
	b = strconv.AppendUint(b, qp, 10)
	return append(b, '\n')
}

// TripleBounce appends the line that says that the bounce of a double bounce is thrown away; file is "bounce/ID".
func TripleBounce(b []byte, file string) []byte {
	b = append(b, "triple bounce: discarding "...)
	b = append(b, file...)
	return append(b, '\n')
}

// EndMsg appends the line that says that a message has left the queue.
func EndMsg(b []byte, id uint64) []byte {
	b = append(b, "end msg "...)
	b = strconv.AppendUint(b, id, 10)
	return append(b, '\n')
}

// Exiting appends the last line of all.
func Exiting(b []byte) []byte { return append(b, "status: exiting\n"...) }

// Alert appends a line that an operator must act on.
func Alert(b []byte, text string) []byte { return line(b, "alert: ", text) }

// Warning appends a line about something that will be tried again.
func Warning(b []byte, text string) []byte { return line(b, "warning: ", text) }

// line keeps the words apart, as nobody but ourselves wrote them, but lets no byte through that could end the line
// early.
func line(b []byte, what, text string) []byte {
	b = append(b, what...)
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 32 || c > 126 {
			b = append(b, '_')
		} else {
			b = append(b, c)
		}
	}
	return append(b, '\n')
}
