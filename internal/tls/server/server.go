// Package server is the server's side of TLS: a configuration whose keys are qmail-key's, and the handshake on the
// descriptors of a session.
package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
)

// An Option changes a Config.
type Option func(*tls.Config)

// WithClientCertificates asks the client for a certificate, and takes any: it is the caller who looks at it.
func WithClientCertificates(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }

// Config returns the configuration of a server whose certificates are those of k. A client that names no server, or one
// without a certificate of its own, gets the default. There are no tickets: some large senders do not bear them, and
// each worker would have keys of its own for them.
func Config(k *keys.Client, options ...Option) *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if name := ascii.LowerString(hello.ServerName); keyproto.ValidName(name) {
				if cert, err := k.Certificate(name, keyproto.Server); !errors.Is(err, keys.ErrNone) {
					return cert, err
				}
			}
			return k.Certificate("", keyproto.Server)
		},
	}
	for _, o := range options {
		o(c)
	}
	return c
}

// A Conn is a session of TLS.
type Conn struct {
	*tls.Conn
	below *transport
}

// Read is that of tls.Conn, but that an end which the client did not announce is io.ErrUnexpectedEOF: whoever can cut a
// connection could have made it.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == io.EOF && c.below.ended {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Handshake makes a session on what d reads and writes, within a time that d's own limits may shorten. After an error
// nothing more can be said there.
func Handshake(d *sys.Dialogue, c *tls.Config, within time.Duration) (*Conn, error) {
	d.Within(time.Now().Add(within))
	defer d.Within(time.Time{})
	below := &transport{Dialogue: d}
	conn := &Conn{tls.Server(below, c), below}
	return conn, conn.Handshake()
}

// A transport is a Dialogue in the form that crypto/tls wants. Who has the Dialogue sets its limits, and closes what it
// is on.
type transport struct {
	*sys.Dialogue
	ended bool // there is nothing more to read
}

func (t *transport) Read(b []byte) (int, error) {
	n, err := t.Dialogue.Read(b)
	t.ended = t.ended || err == io.EOF
	return n, err
}

func (*transport) Close() error                     { return nil }
func (*transport) LocalAddr() net.Addr              { return address{} }
func (*transport) RemoteAddr() net.Addr             { return address{} }
func (*transport) SetDeadline(time.Time) error      { return nil }
func (*transport) SetReadDeadline(time.Time) error  { return nil }
func (*transport) SetWriteDeadline(time.Time) error { return nil }

type address struct{}

func (address) Network() string { return "tcp" }
func (address) String() string  { return "client" }

// Roots returns the authorities of control/clientca.pem, which clients' certificates are held against; nil where there
// are none.
func Roots(dir control.Dir) (*x509.CertPool, error) {
	b, ok, err := dir.Raw("clientca.pem")
	if !ok || err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("control/clientca.pem has no certificate")
	}
	return pool, nil
}

// Client returns the addresses in the certificate by which the client has proved who it is; none where it has not, or
// where roots do not vouch for it.
func Client(s tls.ConnectionState, roots *x509.CertPool) []string {
	if roots == nil || len(s.PeerCertificates) == 0 {
		return nil
	}
	leaf, between := s.PeerCertificates[0], x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil
	}
	addresses := leaf.EmailAddresses
	for _, n := range leaf.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.String() == emailAddress {
			addresses = append(addresses, s)
		}
	}
	return addresses
}

// emailAddress is the attribute of a subject in which older certificates have an address.
const emailAddress = "1.2.840.113549.1.9.1"
