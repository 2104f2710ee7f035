package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

// A kind is that of a key to make.
type kind struct {
	ed25519 bool
	bits    int // of RSA
}

// maxKey is the most bytes of a file with a key.
const maxKey = 128 << 10

var errNoKey = errors.New("the file that is there has no key for mail")

// install puts a new key where qmail-key reads it, unless there is one. The folder of a domain is qmailk's, as all are
// that hold keys.
func install(domain, selector string, k kind, owner passwd.Entry) (key crypto.Signer, made bool, err error) {
	root, err := sys.OpenFolder("/")
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	all, err := root.Walk(filepath.Join(conf.Home(), "keys"), "dkim")
	if err != nil {
		return nil, false, err
	}
	defer all.Close()
	if err = all.Mkdir(domain, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	folder, err := all.Sub(domain)
	if err != nil {
		return nil, false, err
	}
	defer folder.Close()
	if err = folder.GiveItself(owner.UID, owner.GID, 0o700); err != nil {
		return nil, false, err
	}
	name := selector + ".pem"
	text, err := folder.ReadFile(name, maxKey)
	if err == nil {
		key, err = parse(text)
		return key, false, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	if key, err = k.generate(); err != nil {
		return nil, false, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, false, err
	}
	text = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = folder.Replace(name, text, 0o600, owner.UID, owner.GID); err == nil {
		err = all.Sync()
	}
	return key, true, err
}

func (k kind) generate() (crypto.Signer, error) {
	if k.ed25519 {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, k.bits)
}

// parse reads a key that is there, in the forms that openssl and other programs write.
func parse(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errNoKey
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, err
	case ed25519.PrivateKey:
		return key, err
	}
	return nil, errNoKey
}

// maxString is the most bytes of a string in a TXT record.
const maxString = 255

// record returns the record of a key, in strings that fit.
func record(domain, selector string, key crypto.Signer, made bool) (string, error) {
	name, public := "rsa", []byte(nil)
	switch p := key.Public().(type) {
	case ed25519.PublicKey:
		name, public = "ed25519", p
	default:
		var err error
		if public, err = x509.MarshalPKIXPublicKey(p); err != nil {
			return "", err
		}
	}
	value := "v=DKIM1; k=" + name + "; p=" + base64.StdEncoding.EncodeToString(public)
	var b strings.Builder
	if !made {
		b.WriteString("; The key was there already.\n")
	}
	fmt.Fprintf(&b, "%s._domainkey.%s. IN TXT (", selector, domain)
	for len(value) > 0 {
		n := min(len(value), maxString)
		fmt.Fprintf(&b, " %q", value[:n])
		value = value[n:]
	}
	b.WriteString(" )\n")
	fmt.Fprintf(&b, "; When the DNS has it, a line in control/dkimdomains has mail from the domain signed:\n; %s:%s\n",
		domain, selector)
	return b.String(), nil
}
