// Package shield gives sessions of SMTP their TLS: qmail-key's certificates, and what a client's certificate allows.
package shield

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys"
	"qmail/internal/text/environ"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
	"qmail/internal/tls/server"
)

// A Shield is for the sessions of one process. The zero value is ready.
type Shield struct {
	keys   *keys.Client
	failed error // no keys
	opened bool
	wanted bool // there is a certificate
}

// Equip gives a session TLS where there is a certificate, and in any case where nothing may be done without: must
// says so, SMTPS and FORCETLS in the environment do.
func (s *Shield) Equip(worker bool, to *smtpd.Server, must bool) {
	if !s.opened {
		s.keys, s.failed = keys.Open(worker)
		s.opened = true
	}
	_, implicit := environ.Get(to.Env, "SMTPS")
	_, forced := environ.Get(to.Env, "FORCETLS")
	dir := to.Control
	s.wanted = keys.Configured(dir, keyproto.Server)
	if must || implicit || forced || s.failed == nil && s.wanted {
		to.StartTLS = func() (smtpd.Handshake, error) { return s.ready(dir) }
	} else if s.wanted {
		to.Log.Say("no TLS now (#4.7.0)", "because", s.failed.Error())
	}
}

// Spent reports whether qmail-key has gone, or never came where there is a certificate: a worker cannot get another.
func (s *Shield) Spent() bool {
	if s.failed != nil {
		return s.wanted
	}
	return s.keys != nil && s.keys.Broken()
}

// ready asks for what any client may want, so that one is told early where that is not to be had.
func (s *Shield) ready(dir control.Dir) (smtpd.Handshake, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	if _, err := s.keys.Certificate("", keyproto.Server); err != nil {
		return nil, err
	}
	relays, _, err := dir.List("tlsclients")
	if err != nil {
		return nil, err
	}
	var options []server.Option
	if len(relays) > 0 {
		options = append(options, server.WithClientCertificates)
	}
	config := server.Config(s.keys, options...)
	return func(d *sys.Dialogue) (smtpd.Channel, error) {
		conn, err := server.Handshake(d, config, smtpd.MaxHandshake)
		return &channel{Conn: conn, dir: dir, relays: relays}, err
	}, nil
}

// A channel is one connection with TLS.
type channel struct {
	*server.Conn
	dir    control.Dir
	relays []string // the addresses of control/tlsclients
	asked  bool     // whether the client may relay
	relay  bool
	why    error
}

func (c *channel) Name() string {
	s := c.ConnectionState()
	version := "TLS1.3"
	if s.Version == tls.VersionTLS12 {
		version = "TLS1.2"
	}
	return tls.CipherSuiteName(s.CipherSuite) + ", " + version
}

// End implements smtpd.Channel: a client that is gone needs no goodbye.
func (c *channel) End() { c.CloseWrite() }

// Binding is what RFC 9266 binds a login to; nil where the connection has none.
func (c *channel) Binding() []byte {
	s := c.ConnectionState()
	b, err := s.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil
	}
	return b
}

// MayRelay reports whether the client's certificate is one of control/clientca.pem's that has an address of
// control/tlsclients, and is not revoked by control/clientcrl.pem.
func (c *channel) MayRelay() (bool, error) {
	if !c.asked {
		c.asked = true
		c.relay, c.why = c.mayRelay()
	}
	return c.relay, c.why
}

func (c *channel) mayRelay() (bool, error) {
	state := c.ConnectionState()
	if len(c.relays) == 0 || len(state.PeerCertificates) == 0 {
		return false, nil
	}
	roots, err := server.Roots(c.dir)
	if err != nil {
		return false, err
	}
	allowed := control.NewSet(c.relays)
	for _, a := range server.Client(state, roots) {
		if allowed.Has(a) {
			err := unrevoked(c.dir, state.PeerCertificates)
			return err == nil, err
		}
	}
	return false, nil
}

var (
	errRevoked = errors.New("it is revoked")
	errList    = errors.New("control/clientcrl.pem is no revocation list")
)

// unrevoked says that no list of control/clientcrl.pem names one of the certificates. The file is the administrator's:
// its signatures are not looked at.
func unrevoked(dir control.Dir, chain []*x509.Certificate) error {
	rest, ok, err := dir.Raw("clientcrl.pem")
	if !ok || err != nil {
		return err
	}
	lists := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return errors.New("control/clientcrl.pem: " + err.Error())
		}
		lists++
		for _, e := range list.RevokedCertificateEntries {
			for _, c := range chain {
				if c.SerialNumber.Cmp(e.SerialNumber) == 0 && bytes.Equal(c.RawIssuer, list.RawIssuer) {
					return errRevoked
				}
			}
		}
	}
	if lists == 0 {
		return errList
	}
	return nil
}
