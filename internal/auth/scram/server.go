package scram

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
)

// A Server is the server's side of one exchange.
type Server struct {
	key     Key
	binding []byte // what c= must say
	nonce   string
	talk    []byte // AuthMessage so far
}

// A First is the client's first message, which says who it wants to be.
type First struct {
	User   string
	header []byte // gs2-header
	bare   []byte
	nonce  []byte
}

// ReadFirst reads the first message of a client. plus says that the mechanism is SCRAM-SHA-256-PLUS, offered that the
// client was told that it may use that: a client that could and believes that we could not has been lied to.
func ReadFirst(message []byte, plus, offered bool) (f First, err error) {
	if len(message) > maxMessage {
		return First{}, ErrMessage
	}
	flag, rest, ok := bytes.Cut(message, []byte(","))
	if !ok {
		return First{}, ErrMessage
	}
	authzid, bare, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return First{}, ErrMessage
	}
	switch {
	case string(flag) == "n" && !plus:
	case string(flag) == "y" && !plus:
		if offered {
			return First{}, ErrBinding
		}
	case string(flag) == exporter && plus:
	case bytes.HasPrefix(flag, []byte("p=")):
		return First{}, ErrBinding
	default:
		return First{}, ErrMessage
	}
	f.header, f.bare = bytes.Clone(message[:len(message)-len(bare)]), bytes.Clone(bare)
	name, rest, err := attribute(f.bare, 'n') // an extension that must be understood, m=, is none that we know
	if err != nil {
		return First{}, err
	}
	if f.User, err = Unescape(name); err != nil {
		return First{}, err
	}
	if f.nonce, _, err = attribute(rest, 'r'); err != nil || !isNonce(f.nonce) {
		return First{}, ErrMessage
	}
	if len(authzid) > 0 {
		// Nobody may be somebody else.
		as, ok := bytes.CutPrefix(authzid, []byte("a="))
		if who, err := Unescape(as); !ok || err != nil || who != f.User {
			return First{}, ErrMessage
		}
	}
	return f, nil
}

// NewServer begins the exchange with a client whose key is k. binding is the tls-exporter of the connection where the
// mechanism is SCRAM-SHA-256-PLUS.
func NewServer(f First, k Key, binding []byte) (s *Server, challenge []byte) {
	return newServer(f, k, binding, nonce())
}

func newServer(f First, k Key, binding []byte, own string) (*Server, []byte) {
	s := &Server{key: k, nonce: string(f.nonce) + own, binding: f.header}
	if f.header[0] == 'p' {
		s.binding = append(s.binding, binding...)
	}
	challenge := "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString(k.salt) + ",i=" + strconv.Itoa(k.iterations)
	s.talk = append(append(append(f.bare, ','), challenge...), ',')
	return s, []byte(challenge)
}

// Final reads the client's last message. A nil error says that it knows the password; verdict is to be sent, and proves
// that we know the key.
func (s *Server) Final(message []byte) (verdict []byte, err error) {
	if len(message) > maxMessage {
		return nil, ErrMessage
	}
	end := bytes.LastIndex(message, []byte(",p="))
	if end < 0 {
		return nil, ErrMessage
	}
	bound, rest, err := attribute(message[:end], 'c')
	if err != nil {
		return nil, err
	}
	again, _, err := attribute(rest, 'r')
	if err != nil {
		return nil, err
	}
	proof, err := unbase64(message[end+len(",p="):])
	if err != nil || len(proof) != sha256.Size {
		return nil, ErrMessage
	}
	data, err := unbase64(bound)
	if err != nil {
		return nil, ErrMessage
	}
	if string(again) != s.nonce {
		return nil, ErrMessage
	}
	if !bytes.Equal(data, s.binding) {
		return nil, ErrBinding
	}
	talk := append(bytes.Clone(s.talk), message[:end]...)
	key := sha256.Sum256(xor(proof, mac(s.key.stored[:], talk)))
	if subtle.ConstantTimeCompare(key[:], s.key.stored[:]) != 1 {
		return nil, ErrProof
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(s.key.server[:], talk))), nil
}
