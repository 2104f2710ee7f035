package authproto

import (
	"bytes"
	"strings"
)

// A Request begins an exchange: a client wants to log in.
type Request struct {
	Service   string // "smtp", "pop3"
	Mechanism string // case does not matter
	RemoteIP  string // the client's address, for what is counted by it
	LocalIP   string
	Secured   bool // the client came by TLS
	// ChannelBinding is the tls-exporter of the client's connection (RFC 9266), where there is TLS: what the mechanisms
	// that end in -PLUS bind to, and what tells the others that the client could have bound.
	ChannelBinding []byte
	Initial        []byte // the initial response
	HasInitial     bool   // even an empty one
}

// cbind is a parameter of ours, which only goes to a server that named a -PLUS mechanism with exporter behind it.
const (
	cbind    = "cbind="
	exporter = "tls-exporter"
)

// maxName is the most bytes of a mechanism's name (RFC 4422, 3.1).
const maxName = 20

// mechanism returns the name of a mechanism in capitals, or "" for what cannot be one.
func mechanism[S string | []byte](s S) string {
	if len(s) == 0 || len(s) > maxName {
		return ""
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z':
			b[i] = c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return ""
		}
	}
	return string(b)
}

// append appends the line that begins request id. resp is last, as Dovecot wants it.
func (q *Request) append(b []byte, id uint32, binding bool) []byte {
	b = appendID(append(b, "AUTH"...), id)
	b = appendField(b, mechanism(q.Mechanism))
	b = appendField(b, "service=", q.Service)
	b = append(b, "\tnologin"...)
	if q.Secured {
		b = append(b, "\tsecured=tls"...)
	}
	if q.LocalIP != "" {
		b = appendField(b, "lip=", q.LocalIP)
	}
	if q.RemoteIP != "" {
		b = appendField(b, "rip=", q.RemoteIP)
	}
	if binding && len(q.ChannelBinding) > 0 {
		b = appendBase64(b, cbind, q.ChannelBinding)
	}
	if q.HasInitial {
		b = appendBase64(b, "resp=", q.Initial)
	}
	return append(b, '\n')
}

// parseRequest reads what stands behind the id. A parameter that nobody here knows is passed over.
func parseRequest(f [][]byte) (q Request, err error) {
	if len(f) == 0 {
		return q, ErrProtocol
	}
	if q.Mechanism = mechanism(f[0]); q.Mechanism == "" {
		return q, ErrProtocol
	}
	for i, p := range f[1:] {
		key, value, _ := bytes.Cut(p, []byte("="))
		switch string(key) {
		case "service":
			q.Service = string(value)
		case "secured":
			q.Secured = true
		case "lip":
			q.LocalIP = string(value)
		case "rip":
			q.RemoteIP = string(value)
		case "cbind":
			q.ChannelBinding, err = decode(value)
		case "resp":
			if i != len(f)-2 {
				return q, ErrProtocol
			}
			q.HasInitial = true
			q.Initial, err = decode(value)
		}
		if err != nil {
			return q, err
		}
	}
	if !printable(q.Service, maxName) || !printable(q.RemoteIP, 64) || !printable(q.LocalIP, 64) {
		return q, ErrProtocol
	}
	return q, nil
}

// plus reports whether a mechanism's name ends in -PLUS: such a one proves the TLS connection as well.
func plus(name string) bool { return strings.HasSuffix(name, "-PLUS") }
