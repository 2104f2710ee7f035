package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
)

// A Key is what the DNS has of a selector: RFC 6376, section 3.6.1.
type Key struct {
	Public   crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
	Hashes   []string         // that it may be used with; nil: any
	Services []string         // that it may be used for; nil: any
	Testing  bool             // t=y: a signature by it is to count no more than none
	Strict   bool             // t=s: i= may not be below d=
}

// What is wrong with a record.
var (
	ErrRevoked = errors.New("the key is revoked")
	errRecord  = errors.New("the key record is malformed")
	errKeyType = errors.New("the key is of an unknown type")
)

// maxRecord is the most bytes of a key record. One of RSA with 4096 bits has about 750.
const maxRecord = 8 << 10

// ParseKey reads the record of a key, whose strings have been joined.
func ParseKey(record string) (Key, error) {
	var k Key
	if len(record) > maxRecord {
		return k, errRecord
	}
	list, err := parseTags([]byte(record))
	if err != nil {
		return k, errRecord
	}
	if v, ok := list.get("v"); ok && (v != "DKIM1" || list[0].name != "v") {
		return k, errRecord
	}
	p, ok := list.get("p")
	if !ok {
		return k, errRecord
	}
	if h, ok := list.get("h"); ok {
		k.Hashes = words(h)
	}
	if s, ok := list.get("s"); ok {
		k.Services = words(s)
	}
	if t, ok := list.get("t"); ok {
		flags := words(t)
		k.Testing, k.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	}
	if p == "" {
		return k, ErrRevoked
	}
	b, err := decode64(p)
	if err != nil {
		return k, errRecord
	}
	kind, ok := list.get("k")
	switch {
	case !ok || kind == "rsa":
		var public *rsa.PublicKey
		if public, err = rsaKey(b); err == nil { // a nil pointer would not be nil there
			k.Public = public
		}
	case kind == "ed25519" && len(b) == ed25519.PublicKeySize:
		k.Public = ed25519.PublicKey(b)
	case kind == "ed25519":
		err = errRecord
	default:
		err = errKeyType
	}
	return k, err
}

// rsaKey reads a public key in either form that is published.
func rsaKey(der []byte) (*rsa.PublicKey, error) {
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		if key, ok := key.(*rsa.PublicKey); ok {
			return key, nil
		}
		return nil, errRecord
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	return nil, errRecord
}

// allows reports what keeps a key from being used with SHA-256 for mail.
func (k Key) allows() error {
	if k.Hashes != nil && !slices.Contains(k.Hashes, "sha256") {
		return errors.New("the key is not for SHA-256")
	}
	if k.Services != nil && !slices.Contains(k.Services, "email") && !slices.Contains(k.Services, "*") {
		return errors.New("the key is not for mail")
	}
	return nil
}
