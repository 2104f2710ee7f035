// Package smtproutes reads what stands behind the first colon of a line of control/smtproutes or control/authsenders:
// where mail goes instead of where the DNS says, and as whom we log in there.
package smtproutes

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"qmail/internal/site/control"
)

// A Route is where mail goes.
type Route struct {
	Relay string // empty: the mail exchangers of the domain
	Port  uint16 // 0: it is no port
	Login Login
}

// A Login is a name and a password; both are empty where there is none.
type Login struct{ User, Password string }

// Port is where mail goes unless a route says otherwise.
const Port = 25

// Parse reads a route: "relay:port", then, where the relay wants a login, " user password" or "|user|password".
func Parse(route string) Route {
	var r Route
	hop := route
	if i := strings.IndexAny(route, " \t|"); i >= 0 {
		hop = route[:i]
		rest, end := route[i+1:], "|"
		if route[i] != '|' {
			rest, end = strings.TrimLeft(rest, " \t"), " \t"
		}
		r.Login.User = rest
		if i := strings.IndexAny(rest, end); i >= 0 {
			r.Login = Login{rest[:i], rest[i+1:]}
		}
		if end != "|" {
			r.Login.Password = strings.TrimLeft(r.Login.Password, " \t")
		}
	}
	r.Relay, r.Port = split(hop)
	return r
}

// split splits "relay:port". An IPv6 address needs brackets only before a port: without them all of it is the address.
func split(hop string) (relay string, port uint16) {
	if _, err := netip.ParseAddr(hop); err == nil {
		return hop, Port
	}
	from := 0
	if strings.HasPrefix(hop, "[") {
		from = max(0, strings.IndexByte(hop, ']'))
	}
	i := strings.IndexByte(hop[from:], ':')
	if i < 0 {
		return hop, Port
	}
	n, ok := control.ParseInt(hop[from+i+1:])
	if !ok || n > 65535 {
		n = 0
	}
	return hop[:from+i], uint16(n)
}

// Told reports whether a file of such lines has passwords, and anybody may read it.
func Told(lines []string, file fs.FileInfo) bool {
	return file.Mode()&0o004 != 0 && slices.ContainsFunc(lines, func(l string) bool {
		_, masked := Masked(l)
		return masked
	})
}

// Masked returns a line of one of the files without its password, for those who may not see it.
func Masked(line string) (text string, masked bool) {
	_, route, _ := strings.Cut(line, ":")
	r := Parse(route)
	if r.Login == (Login{}) {
		return line, false
	}
	i := len(line) - len(r.Login.Password)
	return line[:i] + "(password)", true
}
