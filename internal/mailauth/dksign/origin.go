package dksign

import (
	"bytes"
	"strings"

	"qmail/internal/mailauth/dkim"
	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// ours reports whether a message is one that we answer for: our users wrote it, or those who may relay here. It looks
// at nothing but what our own programs have written on top: whatever a stranger sent stands below that.
func ours(fields []dkim.Field) bool {
	if len(fields) == 0 {
		return false
	}
	switch invoker := invokerOf(fields[0]); {
	case invoker == "for bounce":
		return true
	case invoker == "by alias", strings.HasPrefix(invoker, "by uid "):
		fields = fields[1:]
		if len(fields) > 0 && strings.HasSuffix(protocolOf(fields[0]), rfc822.RelayClient) {
			fields = fields[1:] // the user's program spoke SMTP with sendmail -bs
		}
		// What has come a way already is passed on: by a .qmail file, a list, or whoever sends it again.
		for _, f := range fields {
			if f.Name == "received" || f.Name == "delivered-to" {
				return false
			}
		}
		return true
	case invoker != "from network":
		return false
	}
	for _, f := range fields[1:] {
		switch f.Name {
		case "delivered-to":
			return false
		case "received":
			return isTrusted(protocolOf(f))
		}
	}
	return false
}

// invokerOf returns who invoked qmail-queue, by the line that it has written; empty where the field is none of its.
func invokerOf(f dkim.Field) string {
	rest, ok := strings.CutPrefix(string(f.Raw), "Received: (qmail ")
	if !ok {
		return ""
	}
	pid, rest, ok := strings.Cut(rest, " invoked ")
	invoker, date, whole := strings.Cut(rest, "); ")
	if !ok || !whole || !digits(pid) || strings.Count(date, "\n") != 1 || strings.ContainsAny(invoker, "()\r\n") {
		return ""
	}
	return invoker
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// protocolOf returns what a server of ours says of how a message came: what stands behind "with" in its second line,
// where no byte of the client's is. It is empty where the field has another form.
func protocolOf(f dkim.Field) string {
	if f.Name != "received" {
		return ""
	}
	lines := strings.SplitAfter(string(f.Raw), "\r\n")
	if len(lines) != 3 || lines[2] != "" || !strings.HasPrefix(lines[0], "Received: from ") {
		return ""
	}
	rest, ok := strings.CutPrefix(lines[1], "  by ")
	host, rest, with := strings.Cut(rest, " with ")
	protocol, _, date := strings.Cut(rest, "; ")
	if !ok || !with || !date || host == "" || strings.ContainsAny(host, " ();") {
		return ""
	}
	return protocol
}

// isTrusted reports whether a protocol is one that not everybody is served by: RFC 3848 has an A at the end for
// clients who have said who they are. QMQP is for our own clients only.
func isTrusted(protocol string) bool {
	name, _, _ := strings.Cut(protocol, " ")
	return name == "ESMTPA" || name == "ESMTPSA" || name == "QMQP" || name == "QMQPS" ||
		strings.HasSuffix(protocol, rfc822.RelayClient)
}

// author returns the only address in the only From, and its domain; empty where there is none or another.
func author(fields []dkim.Field) (address, domain string) {
	var value []byte
	for _, f := range fields {
		if f.Name == "from" {
			if value != nil {
				return "", ""
			}
			value = f.Value()
		}
	}
	if len(value) > maxFrom {
		return "", ""
	}
	list, err := rfc822.Addresses(string(bytes.ReplaceAll(bytes.TrimRight(value, "\r\n"), []byte("\r\n"), nil)))
	if err != nil || len(list) != 1 {
		return "", ""
	}
	address = list[0]
	at := strings.LastIndexByte(address, '@')
	if at < 0 || ascii.HasControl(address) || strings.ContainsAny(address[at:], " \"[]") {
		return "", ""
	}
	return address, ascii.LowerString(address[at+1:])
}

// maxFrom is the longest From that is read.
const maxFrom = 4 << 10
