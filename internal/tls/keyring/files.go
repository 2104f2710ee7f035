package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile is the most bytes of a file with a key or a chain.
const maxFile = 128 << 10

// read returns what is in a file below the home, and what it looks like.
func (r *Ring) read(file string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(filepath.Join(r.home, file), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no file", file)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", file, maxFile)
	}
	return b, fi, err
}

// certificatesIn returns the certificates of a PEM file, and how many bytes they have.
func certificatesIn(b []byte) (list [][]byte, size int) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			list = append(list, block.Bytes)
			size += len(block.Bytes) + 8
		}
	}
	return list, size
}

var (
	errNoKey     = errors.New("has no private key")
	errEncrypted = errors.New("its key is encrypted")
	errKeyType   = errors.New("its key is none that is known here: ECDSA, RSA, Ed25519")
)

// keyIn returns the first private key of a PEM file.
func keyIn(b []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			err = errEncrypted
		default:
			continue
		}
		if _, encrypted := block.Headers["DEK-Info"]; encrypted {
			err = errEncrypted
		}
		if err != nil {
			return nil, err
		}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			return key, nil
		case *ecdsa.PrivateKey:
			return key, nil
		case ed25519.PrivateKey:
			return key, nil
		}
		return nil, errKeyType
	}
	return nil, errNoKey
}
