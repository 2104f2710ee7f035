// Package check has programs check passwords and tokens, by the interface of checkpassword(8): on descriptor 3 a name,
// the password or token, and a time stamp, each with a NUL behind it; exit code 0 is yes, 1 no, any other temporary.
// Who talks with the world may not start them: it asks by a packet socket, and both ends of that are here.
package check

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"qmail/internal/auth/password"
)

// A Kind is what is to be checked.
type Kind byte

const (
	// Password is for the program of control/authcheck.
	Password Kind = 'p'
	// Token is for the program of control/oauthcheck.
	Token Kind = 't'
)

// A Verdict is what a program says.
type Verdict byte

const (
	// Temporary says that nobody knows.
	Temporary Verdict = iota
	// No says that it is not the user.
	No
	// Yes says that it is.
	Yes
)

const (
	// maxSecret is the most bytes of a password or a token.
	maxSecret = 8 << 10
	// maxPacket bounds a request: what goes before, a name, and what is to be checked.
	maxPacket = 5 + password.MaxName + 1 + maxSecret
	// answerSize is the size of an answer.
	answerSize = 5
)

var errPacket = errors.New("check: bad packet")

// A request is what one end asks the other. Its number comes back with the answer.
type request struct {
	id     uint32
	kind   Kind
	name   []byte
	secret []byte
}

func (q request) append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint32(b, q.id), byte(q.kind))
	return append(append(append(b, q.name...), 0), q.secret...)
}

func parseRequest(b []byte) (q request, err error) {
	if len(b) < 5 || len(b) > maxPacket {
		return q, errPacket
	}
	q.id, q.kind = binary.BigEndian.Uint32(b), Kind(b[4])
	var ok bool
	q.name, q.secret, ok = bytes.Cut(b[5:], []byte{0})
	if !ok || q.kind != Password && q.kind != Token ||
		!password.Sound(q.name, password.MaxName) || !password.Sound(q.secret, maxSecret) {
		return request{}, errPacket
	}
	return q, nil
}

// Login is what a program reads on descriptor 3.
func Login(name string, secret []byte, now time.Time) []byte {
	b := append(append(make([]byte, 0, len(name)+len(secret)+len("9999999999")+3), name...), 0)
	return append(strconv.AppendInt(append(append(b, secret...), 0), now.Unix(), 10), 0)
}

func appendAnswer(b []byte, id uint32, v Verdict) []byte {
	return append(binary.BigEndian.AppendUint32(b, id), byte(v))
}

func parseAnswer(b []byte) (id uint32, v Verdict, err error) {
	if len(b) != answerSize || Verdict(b[4]) > Yes {
		return 0, 0, errPacket
	}
	return binary.BigEndian.Uint32(b), Verdict(b[4]), nil
}
