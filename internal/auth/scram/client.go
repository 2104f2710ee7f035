package scram

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"

	"qmail/internal/auth/password"
)

// A Binding is what a client can prove of its TLS connection.
type Binding struct {
	Exporter []byte // the tls-exporter of RFC 9266; nil without TLS 1.3
	Offered  bool   // the server has SCRAM-SHA-256-PLUS
}

// A Client is the client's side of one exchange: First, Final, Verify.
type Client struct {
	password     []byte
	header, bare string
	nonce        string
	binding      []byte
	signature    []byte // what the server has to prove
}

// NewClient makes a client that logs in as user, by the mechanism that its Mechanism names.
func NewClient(user, word string, b Binding) (*Client, error) {
	return newClient(user, word, b, nonce())
}

func newClient(user, word string, b Binding, own string) (*Client, error) {
	if !password.Sound(user, password.MaxName) || !password.Sound(word, password.Max) {
		return nil, ErrPassword
	}
	c := &Client{password: []byte(word), nonce: own, header: "n,,"}
	switch {
	case len(b.Exporter) > 0 && b.Offered:
		c.header, c.binding = exporter+",,", b.Exporter
	case len(b.Exporter) > 0:
		c.header = "y,,"
	}
	c.bare = "n=" + Escape(user) + ",r=" + own
	return c, nil
}

// Mechanism is the name of the mechanism.
func (c *Client) Mechanism() string {
	if c.binding != nil {
		return Plus
	}
	return Plain
}

// First is the first message.
func (c *Client) First() []byte { return []byte(c.header + c.bare) }

// Final answers the server's first message. A server that would have us work for long, or that makes it easy to find
// the password by what we answer, is a bad one.
func (c *Client) Final(challenge []byte) ([]byte, error) {
	if len(challenge) > maxMessage {
		return nil, ErrMessage
	}
	nonce, rest, err := attribute(challenge, 'r')
	if err != nil || !isNonce(nonce) || !bytes.HasPrefix(nonce, []byte(c.nonce)) || len(nonce) == len(c.nonce) {
		return nil, ErrMessage
	}
	salt, rest, err := attribute(rest, 's')
	if err != nil {
		return nil, err
	}
	if salt, err = unbase64(salt); err != nil || len(salt) == 0 {
		return nil, ErrMessage
	}
	count, _, err := attribute(rest, 'i')
	if err != nil {
		return nil, err
	}
	n, ok := iterations(count)
	if !ok {
		return nil, ErrMessage
	}
	salted, err := pbkdf2.Key(sha256.New, string(c.password), salt, n, sha256.Size)
	if err != nil {
		return nil, err
	}
	final := "c=" + base64.StdEncoding.EncodeToString(append([]byte(c.header), c.binding...)) + ",r=" + string(nonce)
	talk := c.bare + "," + string(challenge) + "," + final
	key := clientKey(salted)
	stored := sha256.Sum256(key)
	c.signature = mac(serverKey(salted), talk)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(xor(key, mac(stored[:], talk)))), nil
}

// Verify reads the server's last message: nil says that it knows what it should of the password.
func (c *Client) Verify(verdict []byte) error {
	v, _, err := attribute(verdict, 'v')
	if err != nil {
		return err
	}
	if v, err = unbase64(v); err != nil || c.signature == nil || !hmac.Equal(v, c.signature) {
		return ErrProof
	}
	return nil
}
