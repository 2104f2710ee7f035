// Package sasl is what the two sides of a login say to each other, by PLAIN, LOGIN, OAUTHBEARER, XOAUTH2 and the two
// mechanisms of package scram. It sends nothing: the messages are decoded, and who uses it has a session.
package sasl

import (
	"errors"

	"qmail/internal/auth/password"
	"qmail/internal/auth/scram"
)

// The names of the mechanisms beside those of package scram.
const (
	Plain       = password.Plain
	Login       = password.Login
	OAuthBearer = "OAUTHBEARER"
	XOAuth2     = "XOAUTH2"
)

var (
	// ErrMechanism says that a mechanism is not one of ours, or cannot be used with such a name or secret.
	ErrMechanism = errors.New("sasl: mechanism cannot be used")
	// ErrMessage says that the other side says what does not belong here.
	ErrMessage = errors.New("sasl: bad message")
	// ErrServer says that a server let us in without a proof that it knows the password.
	ErrServer = errors.New("sasl: the server did not prove that it knows the password")
)

// A Client is the client's side of one login: Initial, then Next for each challenge, then Finish.
type Client struct {
	mechanism string
	initial   []byte
	answers   []func(challenge []byte) ([]byte, error)
	proved    bool
	refused   bool // the server has said why, and gets an answer that ends it
}

// NewClient makes a client that logs in as user by mechanism. secret is the password, or the token of the mechanisms
// that want one.
func NewClient(mechanism, user, secret string, b scram.Binding) (*Client, error) {
	c := &Client{mechanism: mechanism, proved: true}
	if !password.Sound(user, password.MaxName) || !password.Sound(secret, maxToken) {
		return nil, ErrMechanism
	}
	switch mechanism {
	case Plain:
		c.initial = []byte("\x00" + user + "\x00" + secret)
	case Login:
		c.answers = append(c.answers, always(user), always(secret))
	case OAuthBearer:
		c.initial = []byte("n,a=" + scram.Escape(user) + ",\x01auth=Bearer " + secret + "\x01\x01")
		c.answers = append(c.answers, c.refuse("\x01"))
	case XOAuth2:
		c.initial = []byte("user=" + user + "\x01auth=Bearer " + secret + "\x01\x01")
		c.answers = append(c.answers, c.refuse(""))
	case scram.Plain, scram.Plus:
		s, err := scram.NewClient(user, secret, b)
		if err != nil {
			return nil, err
		}
		if s.Mechanism() != mechanism {
			return nil, ErrMechanism
		}
		c.initial, c.proved = s.First(), false
		c.answers = append(c.answers, s.Final, func(verdict []byte) ([]byte, error) {
			err := s.Verify(verdict)
			c.proved = err == nil
			return nil, err
		})
	default:
		return nil, ErrMechanism
	}
	return c, nil
}

func always(s string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(s), nil }
}

// refuse answers the challenge in which a server says why a token is not good enough.
func (c *Client) refuse(answer string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) {
		c.refused = true
		return []byte(answer), nil
	}
}

// Initial is the initial response; nil where the server speaks first.
func (c *Client) Initial() []byte { return c.initial }

// Next answers a challenge. On an error the client gives up: it sends "*".
func (c *Client) Next(challenge []byte) ([]byte, error) {
	if len(c.answers) == 0 {
		return nil, ErrMessage
	}
	next := c.answers[0]
	c.answers = c.answers[1:]
	return next(challenge)
}

// Finish is for when the server has said that all is well: nil says so, too.
func (c *Client) Finish() error {
	if !c.proved || c.refused {
		return ErrServer
	}
	return nil
}
