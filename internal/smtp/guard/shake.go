package guard

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"qmail/internal/site/tlsroutes"
	"qmail/internal/smtp/remote"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
)

// shake holds a handshake. TLS 1.0 and 1.1 are not spoken (RFC 8996).
func (p *plan) shake(raw net.Conn, classical bool) (*remote.Shaken, error) {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The certificate is looked at by verify, which knows what it is to be.
		InsecureSkipVerify: true,
		VerifyConnection:   p.verify,
	}
	if tlsroutes.Hostname(p.host) {
		c.ServerName = p.host
	}
	if p.own != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.own() }
	}
	if classical {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	}
	t := tls.Client(raw, c)
	if err := t.Handshake(); err != nil {
		return nil, reason(err)
	}
	s := t.ConnectionState()
	if s.Version >= tls.VersionTLS13 {
		p.binding.Exporter, _ = s.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	}
	return &remote.Shaken{
		Conn: t,
		Facts: "tls=" + strings.ReplaceAll(tls.VersionName(s.Version), " ", "v") +
			" cipher=" + tls.CipherSuiteName(s.CipherSuite),
		Quiet: func() bool { return quiet(t, raw) },
	}, nil
}

// quiet reports whether there is nothing to be read: neither on its way nor in what the TLS layer has.
func quiet(t *tls.Conn, raw net.Conn) bool {
	if c, ok := raw.(syscall.Conn); !ok || !sys.Quiet(c) {
		return false
	}
	t.SetReadDeadline(time.Unix(1, 0))
	n, err := t.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// A wrap has a text for the report and the error that it was.
type wrap struct {
	text string
	err  error
}

func (w wrap) Error() string { return w.text }
func (w wrap) Unwrap() error { return w.err }

// maxReason is how much is said of why a handshake failed: hosts have a hand in it.
const maxReason = 200

func reason(err error) error {
	text := err.Error()
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil && op.Op != "remote error" {
		text = op.Err.Error()
	}
	text = strings.TrimPrefix(text, "tls: ")
	return wrap{text[:min(len(text), maxReason)], err}
}

var (
	errNoCertificate = errors.New("it has no certificate")
	errPrint         = errors.New("its certificate has none of the fingerprints")
	errExpired       = errors.New("its certificate has expired, or is not valid yet")
	errAuthority     = errors.New("nobody who is trusted vouches for its certificate")
	errName          = errors.New("its certificate is for another name")
)

// verify looks at the host's certificate.
func (p *plan) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errNoCertificate
	}
	if len(p.records) > 0 {
		return p.byTLSA(s)
	}
	leaf := s.PeerCertificates[0]
	switch p.entry.Policy {
	case tlsroutes.Fingerprint:
		cert, key := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		if !slices.Contains(p.entry.Prints, string(cert[:])) && !slices.Contains(p.entry.Prints, string(key[:])) {
			return errPrint
		}
	case tlsroutes.Verify:
		if err := p.chain(s.PeerCertificates, p.roots, x509.ExtKeyUsageServerAuth); err != nil {
			return err
		}
		if !slices.ContainsFunc(p.names(), func(n string) bool { return isFor(leaf, n) }) {
			return errName
		}
	}
	return nil
}

// chain reports why roots do not vouch for a chain of certificates, the host's own first.
func (p *plan) chain(certs []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) error {
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: p.now(),
		KeyUsages: []x509.ExtKeyUsage{usage}}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := certs[0].Verify(o)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case err == nil:
		return nil
	case isInvalid && invalid.Reason == x509.Expired:
		return errExpired
	}
	return errAuthority
}

// isFor reports whether a certificate is for a name, or for any below a suffix that begins with a dot. Only its
// alternative names count.
func isFor(leaf *x509.Certificate, name string) bool {
	if !strings.HasPrefix(name, ".") {
		return leaf.VerifyHostname(bare(name)) == nil
	}
	return slices.ContainsFunc(leaf.DNSNames, func(n string) bool {
		n = ascii.LowerString(n)
		return len(n) > len(name) && strings.HasSuffix(n, name)
	})
}
