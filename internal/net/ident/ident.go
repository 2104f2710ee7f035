// Package ident asks a host who owns a connection that it made (RFC 1413).
package ident

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"time"

	"qmail/internal/sys/inet"
	"qmail/internal/text/ascii"
)

const (
	// port is where the servers listen.
	port = 113
	// maxReply is the most bytes of a reply. It must exceed the 512 that a user's name may have, with what stands
	// before it.
	maxReply = 1000
)

// ErrUnknown says that the host answered, but told no name.
var ErrUnknown = errors.New("ident: no name")

// Ask asks the remote host of a connection for the name of its user, and waits at most d.
func Ask(local, remote netip.AddrPort, d time.Duration) (string, error) {
	end := time.Now().Add(d)
	f, err := inet.Connect(local.Addr(), netip.AddrPortFrom(remote.Addr(), port), d)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := f.SetDeadline(end); err != nil {
		return "", err
	}
	if _, err := f.Write(question(remote.Port(), local.Port())); err != nil {
		return "", err
	}
	reply, err := readLine(f)
	if err != nil {
		return "", err
	}
	return parse(reply, remote.Port(), local.Port())
}

func question(theirs, ours uint16) []byte {
	b := strconv.AppendUint(make([]byte, 0, 16), uint64(theirs), 10)
	b = append(b, " , "...)
	b = strconv.AppendUint(b, uint64(ours), 10)
	return append(b, '\r', '\n')
}

// readLine reads up to a LF, the end or maxReply bytes.
func readLine(r io.Reader) ([]byte, error) {
	buf := make([]byte, maxReply)
	n := 0
	for n < len(buf) {
		k, err := r.Read(buf[n:])
		n += k
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return buf[:i], nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return buf[:n], nil
}

// parse returns the name in a reply such as "6193, 23 : USERID : UNIX : joe". Blanks are left out of it, and it
// ends before the first byte that no name has.
func parse(reply []byte, theirs, ours uint16) (string, error) {
	ports, rest, ok := cut(reply)
	if !ok {
		return "", ErrUnknown
	}
	a, b, ok := bytes.Cut(ports, []byte(","))
	if !ok || !isPort(a, theirs) || !isPort(b, ours) {
		return "", ErrUnknown
	}
	kind, rest, ok := cut(rest)
	if !ok || !ascii.Equal(string(trim(kind)), "USERID") {
		return "", ErrUnknown
	}
	_, user, ok := cut(rest) // the operating system
	if !ok {
		return "", ErrUnknown
	}
	name := make([]byte, 0, len(user))
	for _, c := range user {
		switch {
		case c == ' ' || c == '\t' || c == '\r':
		case c < ' ' || c == 127:
			return found(name)
		default:
			name = append(name, c)
		}
	}
	return found(name)
}

func found(name []byte) (string, error) {
	if len(name) == 0 {
		return "", ErrUnknown
	}
	return string(name), nil
}

func cut(b []byte) (before, after []byte, ok bool) { return bytes.Cut(b, []byte(":")) }

func trim(b []byte) []byte { return bytes.Trim(b, " \t\r") }

func isPort(b []byte, port uint16) bool {
	n, err := strconv.ParseUint(string(trim(b)), 10, 16)
	return err == nil && uint16(n) == port
}
