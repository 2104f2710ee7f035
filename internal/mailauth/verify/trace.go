package verify

import (
	"bytes"
	"net/netip"
	"strings"

	"qmail/internal/text/rfc822"
)

// A Trace is what our server said of the client in the field that it put on top.
type Trace struct {
	IP   netip.Addr // not valid where it is unknown
	Helo string
	// Known says that the client may relay, or has logged in: nothing is checked then.
	Known bool
}

// ParseTrace reads the Received field of our own server, in lines that end in LF. Ok is false where it has another form
// than our servers write. What the client said has only safe bytes there: no blank and no parenthesis.
func ParseTrace(field []byte) (t Trace, ok bool) {
	first, second, ok := strings.Cut(string(field), "\n")
	rest, from := strings.CutPrefix(first, "Received: from ")
	by, our := strings.CutPrefix(second, "  by ")
	if !ok || !from || !our {
		return Trace{}, false
	}
	words := strings.Split(rest, " ")
	t.Helo = words[0]
	if len(words) == 4 && words[1] == "(HELO" && strings.HasSuffix(words[2], ")") {
		t.Helo = strings.TrimSuffix(words[2], ")")
		words = append(words[:1], words[3])
	}
	if len(words) != 2 || len(words[1]) < 2 || words[1][0] != '(' || words[1][len(words[1])-1] != ')' {
		return Trace{}, false
	}
	address := words[1][1 : len(words[1])-1]
	address = address[strings.LastIndexByte(address, '@')+1:]
	if t.IP, _ = netip.ParseAddr(address); t.IP.IsValid() {
		t.IP = t.IP.Unmap()
	}
	_, protocol, with := strings.Cut(by, " with ")
	protocol, _, date := strings.Cut(protocol, "; ")
	if !with || !date {
		return Trace{}, false
	}
	name, _, _ := strings.Cut(protocol, " ")
	t.Known = name == "ESMTPA" || name == "ESMTPSA" || strings.HasSuffix(protocol, rfc822.RelayClient)
	return t, true
}

// firstField returns the length of the first field of a message, with the lines that go on with it.
func firstField(b []byte) int {
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
