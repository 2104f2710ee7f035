// Package authproto is Dovecot's authentication protocol, version 1.2, both ends: how a session asks whether a client
// is who it says. Dovecot's own socket and qmail-authd's are alike to a Client.
package authproto

import (
	"bufio"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"time"
)

const (
	// maxLine bounds a line of either end: a response of RFC 4954's 12,288 bytes and what is said with it.
	maxLine = 20 << 10
	// MaxResponse is the most bytes of a response or a challenge, decoded.
	MaxResponse = 12288
	// maxUser is the most bytes of a user's name.
	maxUser = 255
	// major and minor are the version spoken.
	major, minor = "1", "2"
)

var (
	// ErrProtocol says that the other end does not speak this protocol.
	ErrProtocol = errors.New("authproto: bad line from the other end")
	// ErrVersion says that it speaks another version of it.
	ErrVersion = errors.New("authproto: the other end speaks another version")
	errLong    = errors.New("authproto: line too long")
)

// A Conn is a connection of one of the ends.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// readLine reads a line and returns its fields, which are undone of their escapes. They are good until the next call.
func readLine(r *bufio.Reader) ([][]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, errLong
	}
	if err != nil {
		if err == io.EOF && len(line) > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return split(line[:len(line)-1])
}

// split cuts a line at its tabs and undoes the escapes, in place. Nobody who escapes what he sends sends a NUL or a CR.
func split(line []byte) ([][]byte, error) {
	fields := make([][]byte, 0, 8)
	begin, out := 0, 0
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch c {
		case 0, '\r', '\n':
			return nil, ErrProtocol
		case '\t':
			fields = append(fields, line[begin:out:out])
			begin, out = i+1, i+1
			continue
		case 1:
			if i++; i == len(line) {
				return nil, ErrProtocol
			}
			switch line[i] {
			case '0':
				c = 0
			case '1':
				c = 1
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case 'n':
				c = '\n'
			default:
				return nil, ErrProtocol
			}
		}
		line[out] = c
		out++
	}
	return append(fields, line[begin:out:out]), nil
}

// appendField appends a tab and s with its escapes.
func appendField(b []byte, s ...string) []byte {
	b = append(b, '\t')
	for _, s := range s {
		for i := 0; i < len(s); i++ {
			switch c := s[i]; c {
			case 0:
				b = append(b, 1, '0')
			case 1:
				b = append(b, 1, '1')
			case '\t':
				b = append(b, 1, 't')
			case '\r':
				b = append(b, 1, 'r')
			case '\n':
				b = append(b, 1, 'n')
			default:
				b = append(b, c)
			}
		}
	}
	return b
}

func appendID(b []byte, id uint32) []byte { return strconv.AppendUint(append(b, '\t'), uint64(id), 10) }

func appendBase64(b []byte, prefix string, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(append(b, '\t'), prefix...), data)
}

// decode decodes base64 that has no line ends in it and no stray bits.
func decode(s []byte) ([]byte, error) {
	if len(s) == 0 {
		return nil, nil
	}
	if len(s) > base64.StdEncoding.EncodedLen(MaxResponse) {
		return nil, errLong
	}
	b, err := base64.StdEncoding.Strict().AppendDecode(nil, s)
	if err != nil {
		return nil, ErrProtocol
	}
	return b, nil
}

// number reads the id of a request.
func number(s []byte) (uint32, error) {
	if len(s) == 0 || len(s) > 10 || s[0] < '0' || s[0] > '9' {
		return 0, ErrProtocol
	}
	n, err := strconv.ParseUint(string(s), 10, 32)
	if err != nil {
		return 0, ErrProtocol
	}
	return uint32(n), nil
}

// version checks the fields of a VERSION line. Minor versions understand each other.
func version(f [][]byte) error {
	if len(f) < 2 || string(f[0]) != "VERSION" || string(f[1]) != major {
		return ErrVersion
	}
	return nil
}

// printable reports whether s is a name or a text that may be logged and put into a header: no control byte, and not
// longer than limit.
func printable[S string | []byte](s S, limit int) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) <= limit
}
