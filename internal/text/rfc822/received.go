// Package rfc822 reads and writes the header of a message: tokens, address lists, fields,
// quoting, dates and the Received lines.
package rfc822

import (
	"strconv"
	"time"

	"qmail/internal/text/ascii"
)

// AppendDate appends t as the dates of generated fields are written, in GMT: "2 Jan 2001 03:04:05 -0000".
func AppendDate(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2 Jan 2006 15:04:05 -0000")
}

// ReceivedByQueue is the line that qmail-queue puts before a message; invoker is "by uid 1000", "from network",
// "for bounce" or "by alias".
func ReceivedByQueue(qp uint64, invoker string, t time.Time) []byte {
	b := append(make([]byte, 0, 96), "Received: (qmail "...)
	b = strconv.AppendUint(b, qp, 10)
	b = append(b, " invoked "...)
	b = append(b, invoker...)
	b = append(b, "); "...)
	return append(AppendDate(b, t), '\n')
}

// RelayClient stands behind the protocol in Received where the client is one who may relay, and mail is signed: it
// tells qmail-dksign that the message is ours.
const RelayClient = "(relay client)"

// A Peer is the other end of a connection, as tcp-environ(5) tells it. Empty strings are unknown.
type Peer struct {
	RemoteHost string
	RemoteInfo string
	RemoteIP   string
	LocalHost  string
	Helo       string // what the client called itself, if the protocol asks
	Greeted    bool   // it said so, be it by an empty name
}

// ReceivedFrom is the line of a server for a message that came by protocol, as "SMTP". Bytes of the client's
// that are not plainly safe become question marks.
func ReceivedFrom(p Peer, protocol string, t time.Time) []byte {
	b := append(make([]byte, 0, 256), "Received: from "...)
	b = appendSafe(b, known(p.RemoteHost))
	if (p.Helo != "" || p.Greeted) && !ascii.Equal(p.Helo, known(p.RemoteHost)) {
		b = append(b, " (HELO "...)
		b = appendSafe(b, p.Helo)
		b = append(b, ')')
	}
	b = append(b, " ("...)
	if p.RemoteInfo != "" {
		b = appendSafe(b, p.RemoteInfo)
		b = append(b, '@')
	}
	b = appendSafe(b, known(p.RemoteIP))
	b = append(b, ")\n  by "...)
	b = appendSafe(b, known(p.LocalHost))
	b = append(b, " with "...)
	b = append(b, protocol...)
	b = append(b, "; "...)
	return append(AppendDate(b, t), '\n')
}

func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func appendSafe(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if safe(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '?')
		}
	}
	return b
}

func safe(c byte) bool {
	switch c {
	case '.', '@', '%', '+', '/', '=', ':', '-':
		return true
	}
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
