package pop3

import (
	"bytes"
	"encoding/base64"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
)

// locked reports whether a command has to wait for TLS.
func (a *asking) locked(verb string) bool {
	switch verb {
	case "user", "pass", "apop":
		return !a.TLS.On && a.TLS.Must
	case "auth":
		return !a.TLS.On && (a.TLS.Must || a.TLS.Begin != nil)
	}
	return false
}

// extended does a command that is there where TLS is.
func (a *asking) extended(verb string, arg []byte) bool {
	switch {
	case !a.TLS.On && !a.TLS.Must && a.TLS.Begin == nil:
		return false
	case verb == "capa":
		a.capabilities()
	case verb == "stls" && !a.TLS.On:
		a.secure(arg)
	case verb == "auth" && a.TLS.On:
		a.authenticate(arg)
	default:
		return false
	}
	return true
}

// capabilities lists what the session can do now (RFC 2449).
func (a *asking) capabilities() {
	a.ok("")
	for _, c := range [...]struct {
		name string
		is   bool
	}{
		{"TOP", true}, {"UIDL", true}, {"USER", a.TLS.On || !a.TLS.Must}, {"STLS", !a.TLS.On && a.TLS.Begin != nil},
		{"SASL PLAIN", a.TLS.On}, {".", true},
	} {
		if c.is {
			a.say("", c.name)
		}
	}
}

// secure begins TLS (RFC 2595). What came with the command was sent by nobody knows whom, and may be meant to be taken
// for the client's own behind the handshake: the session ends with it. What was said before is forgotten; the counts
// stay, since they bound the client.
func (a *asking) secure(arg []byte) {
	switch {
	case len(arg) > 0:
		a.no("syntax error")
		return
	case a.TLS.Begin == nil:
		a.no("no TLS now")
		return
	}
	early, err := sys.WaitReadable(a.client, 0)
	a.ok("ready for TLS")
	if err != nil || early || a.flush() != nil {
		a.Log.Say("commands came with STLS")
		a.over = true
		return
	}
	a.conn.Within(time.Time{})
	if err := a.TLS.Begin(a.conn); err != nil {
		a.Log.Say("TLS failed", "because", err.Error())
		a.over, a.out = true, a.out[:0]
		return
	}
	a.TLS.On = true
	a.in.Reset(a.dialogue)
	a.user, a.named = "", false
}

// authenticate reads a login by SASL (RFC 5034).
func (a *asking) authenticate(arg []byte) {
	mechanism, message := crlf.Verb(arg)
	if ascii.LowerString(string(mechanism)) != "plain" {
		a.no("the mechanism is PLAIN")
		return
	}
	if len(message) == 0 {
		a.say("+ ", "")
		line, err := a.in.Line(maxCommand)
		if err != nil {
			a.over = true
			return
		}
		message = line
	}
	name, password, ok := plain(message)
	if !ok {
		a.no("that is no login")
		return
	}
	a.is(name, password)
}

// plain reads a response of PLAIN (RFC 4616). Nobody may be somebody else: where it names whom to act for, that is who
// logs in. What PASS cannot say, a line end, is none of a login either: programs that check passwords may read lines.
func plain(response []byte) (name, password string, ok bool) {
	message, err := base64.StdEncoding.Strict().AppendDecode(nil, response)
	if err != nil || bytes.ContainsAny(message, "\r\n") {
		return "", "", false
	}
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) || len(parts[1]) == 0 ||
		len(parts[2]) == 0 {
		return "", "", false
	}
	return string(parts[1]), string(parts[2]), true
}
