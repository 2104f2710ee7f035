package sendproto

import (
	"bufio"
	"io"
	"strconv"
)

// MaxRequest is the most bytes of a request to qmail-clean, its NUL counted.
const MaxRequest = 100

// minRequest is the fewest: a shorter one is malformed.
const minRequest = 7

// A Kind says which files of a message a request to qmail-clean is about.
type Kind byte

const (
	Foop Kind = 'f' // intd, then mess: the message is finished
	Todo Kind = 't' // intd, then todo: the message is preprocessed
)

// The answers of qmail-clean, one byte to a request.
const (
	Cleaned   byte = '+' // the files are gone
	Trouble   byte = '!' // a file could not be removed
	Malformed byte = 'x' // the request made no sense
)

// A Request asks qmail-clean to remove files of a message.
type Request struct {
	Kind Kind
	ID   uint64
	Junk int // bytes other than digits after the slash: each gets a Malformed of its own, before the request's answer
}

// Append appends the request as it goes over the wire.
func (q Request) Append(b []byte) []byte {
	if q.Kind == Foop {
		b = append(b, "foop/"...)
	} else {
		b = append(b, "todo/"...)
	}
	return append(strconv.AppendUint(b, q.ID, 10), 0)
}

// ReadRequest reads one request. ok is false for a malformed one, which was read to its NUL; one with digits and
// then junk is good for its digits. An error ends the conversation: io.EOF even in the middle of a request.
func ReadRequest(r *bufio.Reader) (q Request, ok bool, err error) {
	var buf [MaxRequest]byte
	n := 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			return Request{}, false, io.EOF
		}
		if n < MaxRequest {
			buf[n] = c
		}
		n++
		if c == 0 {
			break
		}
	}
	if n < minRequest || n > MaxRequest {
		return Request{}, false, nil
	}
	digits := buf[5 : n-1]
	for i, c := range digits {
		if c < '0' || c > '9' {
			if q.Junk == 0 {
				digits = buf[5 : 5+i]
			}
			q.Junk++
		}
	}
	switch string(buf[:5]) {
	case "foop/":
		q.Kind = Foop
	case "todo/":
		q.Kind = Todo
	}
	q.ID, err = strconv.ParseUint(string(digits), 10, 64)
	return q, err == nil && q.Kind != 0, nil
}
