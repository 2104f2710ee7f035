package smtpd

import (
	"bytes"
	"net/netip"
	"strings"

	"qmail/internal/text/ascii"
)

// maxAddress is the most bytes of an address. It must stay below what qmail-queue takes, envelope.MaxAddress, with
// RELAYCLIENT added.
const maxAddress = 899

// parseAddress returns the address in the argument of MAIL or RCPT: what stands between < and >, or from a colon to
// a space, without quotes, backslashes and a source route; and what follows it. An argument with neither is the empty
// address. ok is false for one that is too long or has a control byte.
func parseAddress(arg []byte) (addr string, rest []byte, ok bool) {
	end := byte('>')
	if i := bytes.IndexByte(arg, '<'); i >= 0 {
		arg = arg[i+1:]
	} else {
		end = ' '
		if i := bytes.IndexByte(arg, ':'); i >= 0 {
			arg = bytes.TrimLeft(arg[i+1:], " ")
		} else {
			arg = nil
		}
	}
	if len(arg) > 0 && arg[0] == '@' {
		if i := bytes.IndexByte(arg, ':'); i >= 0 {
			arg = arg[i+1:]
		} else {
			arg = nil
		}
	}
	b := make([]byte, 0, min(len(arg), maxAddress+1))
	quoted, escaped := false, false
	for i, c := range arg {
		switch {
		case ascii.IsControl(c) || len(b) > maxAddress:
			return "", nil, false
		case escaped:
			b = append(b, c)
			escaped = false
		case c == end && !quoted:
			return string(b), arg[i+1:], len(b) <= maxAddress
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		default:
			b = append(b, c)
		}
	}
	return string(b), nil, len(b) <= maxAddress
}

// literal returns the IP address that a host part like [1.2.3.4] or [IPv6:::1] stands for.
func literal(host string) (ip netip.Addr, ok bool) {
	if len(host) < 2 || host[0] != '[' || host[len(host)-1] != ']' {
		return ip, false
	}
	host = host[1 : len(host)-1]
	if ascii.HasPrefix(host, "IPv6:") {
		host = host[len("IPv6:"):]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return ip, false
	}
	return ip.Unmap(), true
}

// localized replaces a host part that is an address of this machine by control/localiphost.
func (s *session) localized(addr string) (string, error) {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 || s.localIPHost == "" {
		return addr, nil
	}
	ip, ok := literal(addr[at+1:])
	if !ok {
		return addr, nil
	}
	mine, err := s.mine()
	if err != nil || !mine.Has(ip) {
		return addr, err
	}
	return addr[:at+1] + s.localIPHost, nil
}
