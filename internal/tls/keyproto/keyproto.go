// Package keyproto is the wire between qmail-key and the programs that need a private key. A request is one packet
// of a SOCK_SEQPACKET socket that its client alone has, and is answered by one packet.
package keyproto

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"strings"
)

// A Kind says what a key is used for.
type Kind byte

const (
	Server Kind = 's' // proofs of a TLS server
	Client Kind = 'c' // proofs of a TLS client
	DKIM   Kind = 'd' // signatures of mail
)

// An Op is what is asked for.
type Op byte

const (
	Chain Op = 'c' // the certificates of a name, its own first; DKIM: the public key
	Sign  Op = 's' // the signature of a message
	Admit Op = 'a' // a new client, whose socket is beside the packet; on a parent's socket only
)

const (
	// MaxName is the most bytes of a name of a server, a domain or a selector.
	MaxName = 253
	// MaxMessage is the most bytes of a message to sign.
	MaxMessage = 16 << 10
	// MaxRequest is the most bytes of a request.
	MaxRequest = MaxMessage + 2*MaxName + 64
	// MaxAnswer is the most bytes of an answer.
	MaxAnswer = 64 << 10
	// IDSize is how long the ID of a key is.
	IDSize = 32
)

var errPacket = errors.New("keyproto: malformed packet")

// ValidName reports whether a name may be part of a file name: letters, digits, hyphens, dots, and no dot in front.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || s[0] == '.' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '.' && c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// DKIMName returns the name of a DKIM key, for a Request.
func DKIMName(domain, selector string) string { return domain + "/" + selector }

// CutDKIMName takes the name of a DKIM key apart.
func CutDKIMName(name string) (domain, selector string, ok bool) {
	domain, selector, ok = strings.Cut(name, "/")
	return domain, selector, ok && ValidName(domain) && ValidName(selector)
}

// A Request is what a program asks qmail-key for.
type Request struct {
	Op   Op
	Kind Kind
	Name string // a server's, or a DKIMName; empty: the default certificate
	// Of a request to Sign:
	Key     [IDSize]byte // SHA-256 of the public key, in PKIX form, that has to fit; DKIM: zero
	Hash    crypto.Hash  // 0 where the algorithm of the key has its own, and for DKIM
	PSS     bool         // of an RSA key
	Message []byte
}

// valid reports whether the parts of a request may stand together.
func (r Request) valid() bool {
	switch r.Kind {
	case Server, Client:
		if r.Name != "" && !ValidName(r.Name) {
			return false
		}
	case DKIM:
		if _, _, ok := CutDKIMName(r.Name); !ok {
			return false
		}
	default:
		return false
	}
	switch r.Op {
	case Chain:
		return r.Key == [IDSize]byte{} && r.Hash == 0 && !r.PSS && len(r.Message) == 0
	case Sign:
		return len(r.Message) > 0 && len(r.Message) <= MaxMessage
	}
	return false
}

// Append appends the packet of a request; ok is false for what no qmail-key would read.
func (r Request) Append(b []byte) (packet []byte, ok bool) {
	if !r.valid() {
		return b, false
	}
	b = append(b, byte(r.Op), byte(r.Kind))
	b = append(append(b, r.Name...), 0)
	if r.Op == Chain {
		return b, true
	}
	b = append(append(b, r.Key[:]...), byte(r.Hash), 0)
	if r.PSS {
		b[len(b)-1] = 1
	}
	return append(b, r.Message...), true
}

// ParseRequest reads the packet of a request. The Message is a part of b.
func ParseRequest(b []byte) (r Request, err error) {
	if len(b) < 3 || len(b) > MaxRequest {
		return Request{}, errPacket
	}
	r.Op, r.Kind = Op(b[0]), Kind(b[1])
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	if r.Name = string(name); !ok {
		return Request{}, errPacket
	}
	if r.Op == Sign {
		if len(rest) < IDSize+2 || rest[IDSize+1] > 1 {
			return Request{}, errPacket
		}
		copy(r.Key[:], rest)
		r.Hash, r.PSS, r.Message = crypto.Hash(rest[IDSize]), rest[IDSize+1] == 1, rest[IDSize+2:]
	} else if len(rest) > 0 {
		return Request{}, errPacket
	}
	if !r.valid() {
		return Request{}, errPacket
	}
	return r, nil
}

// A Status says how a request ended.
type Status byte

const (
	Done    Status = 'd' // Parts has what was asked for
	None    Status = 'n' // there is no such name or key
	Refused Status = 'r' // the caller may not have it, or the message has not the form
	Trouble Status = 't' // perhaps later
)

// An Answer is what qmail-key says.
type Answer struct {
	Status Status
	Parts  [][]byte // Chain: the file that it is from, below HOME, and certificates; Sign: a signature
	Reason string   // printable; where the Status is not Done
}

// Append appends the packet of an answer; ok is false where it is over MaxAnswer.
func (a Answer) Append(b []byte) (packet []byte, ok bool) {
	before := len(b)
	b = append(b, byte(a.Status))
	if a.Status != Done {
		b = append(b, a.Reason...)
	}
	for _, p := range a.Parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	return b, len(b)-before <= MaxAnswer
}

// ParseAnswer reads the packet of an answer. The Parts are parts of b.
func ParseAnswer(b []byte) (a Answer, err error) {
	if len(b) == 0 || len(b) > MaxAnswer {
		return Answer{}, errPacket
	}
	a.Status, b = Status(b[0]), b[1:]
	switch a.Status {
	case None, Refused, Trouble:
		a.Reason = string(b)
		return a, nil
	case Done:
	default:
		return Answer{}, errPacket
	}
	for len(b) > 0 {
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return Answer{}, errPacket
		}
		a.Parts = append(a.Parts, b[k:k+int(size):k+int(size)])
		b = b[k+int(size):]
	}
	return a, nil
}
