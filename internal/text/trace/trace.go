// Package trace reads what our server has put on top of a message: who the client is.
package trace

import (
	"bytes"
	"net/netip"
	"strings"

	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// A Trace is what our server said of the client in the field that it put on top.
type Trace struct {
	IP    netip.Addr // not valid where it is unknown
	Host  string     // the client's name in the DNS; empty: unknown
	Helo  string
	User  string // who has logged in, or whom the client's host names
	By    string // our own name
	Proto string // as "ESMTPS"
	// TLS and Cipher are what protects the connection; empty: nothing.
	TLS, Cipher string
	// Known says that the client may relay, or has logged in: nothing is checked then.
	Known bool
}

// LoggedIn reports whether the client has.
func (t Trace) LoggedIn() bool {
	switch t.Proto {
	case "ESMTPA", "ESMTPSA", "UTF8SMTPA", "UTF8SMTPSA":
		return true
	}
	return false
}

// Parse reads the Received field of our own server, in lines that end in LF. Ok is false where it has another form
// than our servers write. What the client said has only safe bytes there: no blank and no parenthesis.
func Parse(field []byte) (t Trace, ok bool) {
	first, second, ok := strings.Cut(string(field), "\n")
	rest, from := strings.CutPrefix(first, "Received: from ")
	by, our := strings.CutPrefix(second, "  by ")
	if !ok || !from || !our {
		return Trace{}, false
	}
	words := strings.Split(rest, " ")
	t.Helo = words[0]
	if t.Host = words[0]; t.Host == "unknown" {
		t.Host = ""
	}
	if len(words) == 4 && words[1] == "(HELO" && strings.HasSuffix(words[2], ")") {
		t.Helo = strings.TrimSuffix(words[2], ")")
		words = append(words[:1], words[3])
	}
	if len(words) != 2 || len(words[1]) < 2 || words[1][0] != '(' || words[1][len(words[1])-1] != ')' {
		return Trace{}, false
	}
	address := words[1][1 : len(words[1])-1]
	at := strings.LastIndexByte(address, '@')
	t.User, address = address[:max(at, 0)], address[at+1:]
	if t.IP, _ = netip.ParseAddr(address); t.IP.IsValid() {
		t.IP = t.IP.Unmap()
	}
	local, protocol, with := strings.Cut(by, " with ")
	protocol, _, date := strings.Cut(protocol, "; ")
	if !with || !date {
		return Trace{}, false
	}
	t.By = local
	t.Proto, _, _ = strings.Cut(protocol, " ")
	if _, in, ok := strings.Cut(protocol, "("); ok && strings.Contains(t.Proto, "S") && t.Proto != "SMTP" {
		in, _, _ = strings.Cut(in, ")")
		t.Cipher, t.TLS, _ = strings.Cut(in, ", ")
	}
	t.Known = t.LoggedIn() || strings.HasSuffix(protocol, rfc822.RelayClient)
	return t, true
}

// FirstField returns the length of the first field of a message, with the lines that go on with it.
func FirstField(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		at += i + 1
		if at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return at
		}
	}
}

// Find finds our server's field in the header at the beginning of b: on top, or below what a filter of ours puts there.
// From is where it begins, and to where the next field does.
func Find(b []byte) (t Trace, from, to int, ok bool) {
	for at := 0; at < len(b) && b[at] != '\n'; {
		end := at + FirstField(b[at:])
		name, _, _ := bytes.Cut(b[at:end], []byte(":"))
		switch ascii.LowerString(string(name)) {
		case "received":
			t, ok = Parse(b[at:end])
			return t, at, end, ok
		case "authentication-results", "received-spf", "x-spam-flag":
			at = end
		default:
			return Trace{}, 0, 0, false
		}
	}
	return Trace{}, 0, 0, false
}
