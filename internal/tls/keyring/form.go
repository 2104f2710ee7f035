package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"strings"

	"qmail/internal/tls/keyproto"
)

var (
	errForm   = errors.New("this is not what is signed here")
	errScheme = errors.New("the key does not sign that way")
)

// What a TLS 1.3 proof begins with: RFC 8446, section 4.4.3.
const (
	padding       = 64
	serverContext = "TLS 1.3, server CertificateVerify\x00"
	clientContext = "TLS 1.3, client CertificateVerify\x00"
)

// checkForm reports what keeps a message from being signed. The forms have nothing in common, so that no signature
// serves another purpose than the one it was asked for.
func checkForm(r keyproto.Request, key crypto.Signer) error {
	switch r.Kind {
	case keyproto.Server:
		if isProof13(r.Message, serverContext) {
			return checkScheme(r, key, true)
		}
		if isKeyExchange(r.Message) {
			return checkScheme(r, key, false)
		}
	case keyproto.Client:
		if isProof13(r.Message, clientContext) {
			return checkScheme(r, key, true)
		}
		if isTranscript(r.Message) {
			return checkScheme(r, key, false)
		}
	case keyproto.DKIM:
		domain, selector, _ := keyproto.CutDKIMName(r.Name)
		return checkBlock(r.Message, domain, selector, key)
	}
	return errForm
}

// isProof13 reports whether m is what TLS 1.3 signs: the context, and the SHA-256 or SHA-384 of what was said.
func isProof13(m []byte, context string) bool {
	n := len(m) - padding - len(context)
	if n != 32 && n != 48 {
		return false
	}
	return string(m[:padding]) == strings.Repeat(" ", padding) && string(m[padding:len(m)-n]) == context
}

const randoms = 2 * 32 // of the client and of the server

// isKeyExchange reports whether m is what a server signs in TLS 1.2: RFC 8422, section 5.4: the two randoms, and a
// point on a named curve.
func isKeyExchange(m []byte) bool {
	const namedCurve = 3
	if len(m) < randoms+4 || m[randoms] != namedCurve || m[randoms+1] != 0 || int(m[randoms+3]) != len(m)-randoms-4 {
		return false
	}
	size := 0
	switch m[randoms+2] {
	case 23: // P-256
		size = 65
	case 24: // P-384
		size = 97
	case 25: // P-521
		size = 133
	case 29: // X25519
		return len(m) == randoms+4+32
	}
	return len(m) == randoms+4+size && m[randoms+4] == 4
}

// maxKeyExchange is the length of the longest message for which isKeyExchange is true.
const maxKeyExchange = randoms + 4 + 133

// isTranscript reports whether m is what a client signs in TLS 1.2: all messages of a handshake so far, RFC 5246,
// section 7.4.8. It has no context of its own: that it is longer than any key exchange keeps the two apart.
func isTranscript(m []byte) bool {
	if len(m) <= maxKeyExchange {
		return false
	}
	const hello, serverHello, certificate, status, exchange, request, done, clientExchange = 1, 2, 11, 22, 12, 13, 14, 16
	for _, kind := range [...]byte{
		hello, serverHello, certificate, status, exchange, request, done, certificate, clientExchange,
	} {
		if len(m) == 0 {
			return false
		}
		if m[0] != kind {
			if kind == status {
				continue
			}
			return false
		}
		if len(m) < 4 {
			return false
		}
		size := 4 + int(m[1])<<16 + int(m[2])<<8 + int(m[3])
		if size > len(m) {
			return false
		}
		m = m[size:]
	}
	return len(m) == 0
}

// checkScheme reports whether the key signs in the way that a TLS request asks for.
func checkScheme(r keyproto.Request, key crypto.Signer, tls13 bool) error {
	ok := false
	switch key.(type) {
	case *rsa.PrivateKey:
		ok = digest(r.Hash) && (r.PSS || !tls13)
	case *ecdsa.PrivateKey:
		ok = digest(r.Hash) && !r.PSS
	case ed25519.PrivateKey:
		ok = r.Hash == 0 && !r.PSS
	}
	if !ok {
		return errScheme
	}
	return nil
}

func digest(h crypto.Hash) bool {
	return h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
}
