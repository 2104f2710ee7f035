// Package keys asks qmail-key: a program that has a Client can prove that it is a server, or sign mail, and never
// sees a private key.
package keys

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/tls/holder"
	"qmail/internal/tls/keyproto"
)

// socket is the descriptor by which a worker asks; its parent gives it.
const socket = 4

// patience is how long an answer may take: it is far more than the slowest key needs.
const patience = 20 * time.Second

var (
	// ErrNoHolder says that there is no qmail-key here, or that a parent has none for this worker.
	ErrNoHolder = errors.New("no qmail-key")
	// ErrNone says that there is no such certificate or key.
	ErrNone = errors.New("no such key")
	// ErrRefused says that qmail-key does not do that.
	ErrRefused = errors.New("qmail-key refuses")
	// ErrTrouble says that qmail-key cannot do it now.
	ErrTrouble = errors.New("qmail-key has trouble")
)

// A Client asks one qmail-key, one question at a time. Its methods may be called at once.
type Client struct {
	dir control.Dir

	mu     sync.Mutex
	conn   *os.File // blocks; nil: not started yet
	broken error
	known  map[question]*certificate
}

type question struct {
	name string
	kind keyproto.Kind
}

// Open returns the client of a worker, whose parent has given it a socket, or of a program that starts a qmail-key of
// its own with the first question.
func Open(worker bool) (*Client, error) {
	c := &Client{dir: control.Default(), known: make(map[question]*certificate)}
	if worker {
		if !sys.IsPacketSocket(socket) {
			return nil, ErrNoHolder
		}
		syscall.CloseOnExec(socket)
		c.conn = proc.FD(socket, "qmail-key")
		if err := sys.PacketTimeout(c.conn, patience); err != nil {
			return nil, err
		}
		return c, nil
	}
	if _, err := os.Stat(holder.Program()); err != nil {
		return nil, ErrNoHolder
	}
	return c, nil
}

// Close parts with qmail-key.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(ErrNoHolder)
}

// Broken reports whether qmail-key has gone: a worker ends then, so that the next one gets another.
func (c *Client) Broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken != nil
}

func (c *Client) leave(why error) {
	if c.conn != nil {
		c.conn.Close()
	}
	c.conn, c.broken = nil, why
}

// ask asks one question. What goes wrong with the socket is for good, since a late answer would be taken for another's.
func (c *Client) ask(r keyproto.Request) ([][]byte, error) {
	b, ok := r.Append(nil)
	if !ok {
		return nil, ErrRefused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.exchange(b)
	if err != nil {
		c.leave(err)
		return nil, fmt.Errorf("%w: %w", ErrTrouble, err)
	}
	switch a.Status {
	case keyproto.Done:
		return a.Parts, nil
	case keyproto.None:
		return nil, fmt.Errorf("%w: %s", ErrNone, a.Reason)
	case keyproto.Refused:
		return nil, fmt.Errorf("%w: %s", ErrRefused, a.Reason)
	}
	return nil, fmt.Errorf("%w: %s", ErrTrouble, a.Reason)
}

func (c *Client) exchange(request []byte) (a keyproto.Answer, err error) {
	if c.broken != nil {
		return a, c.broken
	}
	if c.conn == nil {
		if err = c.start(); err != nil {
			return a, err
		}
	}
	if err = sys.SendPacketWaiting(c.conn, request); err != nil {
		return a, err
	}
	b := make([]byte, keyproto.MaxAnswer+1)
	n, _, err := sys.ReceivePacketWaiting(c.conn, b, 0)
	if err != nil {
		return a, err
	}
	return keyproto.ParseAnswer(bytes.Clone(b[:n]))
}

// start starts a qmail-key for this client alone.
func (c *Client) start() error {
	conn, p, err := holder.Start(nil, nil)
	if err != nil {
		return err
	}
	go p.Wait()
	if err = sys.Block(conn); err == nil {
		err = sys.PacketTimeout(conn, patience)
	}
	if err != nil {
		conn.Close()
		return err
	}
	c.conn = conn
	return nil
}

// Sign has a message signed whose form is that of its kind. It is for DKIM; a TLS session has its Certificate.
func (c *Client) Sign(name string, kind keyproto.Kind, message []byte) ([]byte, error) {
	return c.sign(keyproto.Request{Op: keyproto.Sign, Kind: kind, Name: name, Message: message})
}

func (c *Client) sign(r keyproto.Request) ([]byte, error) {
	parts, err := c.ask(r)
	if err != nil {
		return nil, err
	}
	if len(parts) != 1 {
		return nil, fmt.Errorf("%w: it says %d things", ErrTrouble, len(parts))
	}
	return parts[0], nil
}

// PublicKey returns the public key of a DKIM key, in PKIX form.
func (c *Client) PublicKey(name string) ([]byte, error) {
	return c.sign(keyproto.Request{Op: keyproto.Chain, Kind: keyproto.DKIM, Name: name})
}

// A signer is the private key of a certificate, which qmail-key has.
type signer struct {
	client *Client
	ask    question
	public crypto.PublicKey
	id     [keyproto.IDSize]byte
}

func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign is never called where SignMessage is there.
func (s *signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("qmail-key signs no digest")
}

// SignMessage implements crypto.MessageSigner: qmail-key looks at what it signs.
func (s *signer) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	_, pss := opts.(*rsa.PSSOptions)
	return s.client.sign(keyproto.Request{
		Op: keyproto.Sign, Kind: s.ask.kind, Name: s.ask.name, Key: s.id, Hash: opts.HashFunc(), PSS: pss,
		Message: message,
	})
}

// newCertificate makes a certificate of DER forms, its own first.
func (c *Client) newCertificate(q question, chain [][]byte) (*tls.Certificate, error) {
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: an empty chain", ErrTrouble)
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrouble, err)
	}
	key := &signer{client: c, ask: q, public: leaf.PublicKey, id: sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}
	return &tls.Certificate{Certificate: slices.Clone(chain), PrivateKey: key, Leaf: leaf}, nil
}
