package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"
)

// A pair is a certificate with its chain and its key, as files.
type pair struct {
	chain, key []byte
	ends       time.Time
	warning    string
}

// testFor is how long a pair that is made here is good.
const testFor = 90 * 24 * time.Hour

// pairOf reads the files, or makes a pair where there are none. One that no client could use is an error, so that a
// renewal which went wrong leaves what was there.
func pairOf(host string, files []string, now time.Time) (p pair, err error) {
	if len(files) == 0 {
		p, err = makePair(host, now)
	} else if p.chain, err = os.ReadFile(files[0]); err == nil {
		p.key, err = os.ReadFile(files[1])
	}
	if err != nil {
		return p, err
	}
	both, err := tls.X509KeyPair(p.chain, p.key)
	if err != nil {
		return p, err
	}
	leaf := both.Leaf
	p.chain = onlyCertificates(both.Certificate)
	if p.ends = leaf.NotAfter; !now.Before(p.ends) {
		return p, fmt.Errorf("the certificate ended on %s", p.ends.UTC().Format("2006-01-02"))
	}
	switch {
	case len(files) == 0:
		p.warning = "nobody vouches for it: it is good for a test, and for servers that send opportunistically"
	case leaf.VerifyHostname(host) != nil:
		p.warning = "it is not for " + host + ", but for " + fmt.Sprintf("%q", leaf.DNSNames)
	case len(both.Certificate) == 1 && leaf.Issuer.String() != leaf.Subject.String():
		p.warning = "the certificate of its authority is not in the file: many clients cannot verify it"
	case now.Before(leaf.NotBefore):
		p.warning = "it begins on " + leaf.NotBefore.UTC().Format("2006-01-02")
	}
	return p, nil
}

// onlyCertificates returns a file of certificates and nothing else: a key in it would be readable for everybody.
func onlyCertificates(chain [][]byte) (text []byte) {
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return text
}

var errName = errors.New("the name is too long for a certificate")

// makePair makes a key and a certificate that nobody vouches for.
func makePair(host string, now time.Time) (p pair, err error) {
	const commonName = 64
	if len(host) > commonName {
		return p, errName
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return p, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(testFor), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return p, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	p.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	p.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return p, err
}
