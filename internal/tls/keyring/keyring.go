// Package keyring has the private keys. Only qmail-key links it: it reads the files below keys, and looks at the form
// of what it signs.
package keyring

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // for SHA-384 and SHA-512
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/tls/keyproto"
)

// A Ring answers requests. Its methods may be called at once.
type Ring struct {
	home string

	mu   sync.Mutex
	keys map[string]*held // by file
}

// maxKeys is how many keys are remembered.
const maxKeys = 1000

// A held key is good for as long as its file looks as it did.
type held struct {
	file fs.FileInfo
	key  crypto.Signer
	id   [keyproto.IDSize]byte
}

// New returns the keys of a qmail home.
func New(home string) *Ring { return &Ring{home: home, keys: make(map[string]*held)} }

// Answer does what a request asks for.
func (r *Ring) Answer(q keyproto.Request) keyproto.Answer {
	var parts [][]byte
	var err error
	switch {
	case q.Op == keyproto.Sign:
		var signature []byte
		signature, err = r.sign(q)
		parts = [][]byte{signature}
	case q.Kind == keyproto.DKIM:
		var public []byte
		public, err = r.public(q.Name)
		parts = [][]byte{public}
	default:
		parts, err = r.chain(q)
	}
	if err == nil {
		return keyproto.Answer{Status: keyproto.Done, Parts: parts}
	}
	a := keyproto.Answer{Status: keyproto.Trouble, Reason: ascii.OneLine(err.Error())}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.Status = keyproto.None
	case err == errForm || err == errScheme:
		a.Status = keyproto.Refused
	}
	return a
}

// chain returns the file of a chain, and the certificates in it.
func (r *Ring) chain(q keyproto.Request) ([][]byte, error) {
	p, err := r.places(q)
	if err != nil {
		return nil, err
	}
	b, _, err := r.read(p.chain)
	if err != nil {
		return nil, err
	}
	certificates, size := certificatesIn(b)
	if len(certificates) == 0 || size > keyproto.MaxAnswer-1<<10 {
		return nil, fmt.Errorf("%s has no certificate, or too many", p.chain)
	}
	return append([][]byte{[]byte(p.chain)}, certificates...), nil
}

// A place is where the chain and the key of a name are, below the home. Of several keys the one that fits counts.
type place struct {
	chain string
	keys  []string
}

// places returns where the chain and the keys of a TLS request are.
func (r *Ring) places(q keyproto.Request) (place, error) {
	switch {
	case q.Name != "":
		return named(q.Name), nil
	case q.Kind == keyproto.Client:
		return together("control/clientcert.pem"), nil
	}
	me, _, err := control.Dir(filepath.Join(r.home, "control")).Line("me")
	if me = ascii.LowerString(me); err == nil && keyproto.ValidName(me) && r.exists(named(me).chain) {
		return named(me), nil
	}
	if p := together("control/servercert.pem"); r.exists(p.chain) {
		return p, nil
	}
	names, err := os.ReadDir(filepath.Join(r.home, "control/tlscerts"))
	for _, n := range names {
		if keyproto.ValidName(n.Name()) {
			return named(n.Name()), nil
		}
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return place{}, err
}

// named returns the place of a server name. The key before the present one has a dot in front: while both files are
// being replaced, the chain is that of one or the other.
func named(name string) place {
	return place{"control/tlscerts/" + name, []string{"keys/tls/" + name + ".pem", "keys/tls/." + name + ".pem"}}
}

// together is one file with a key and a chain, as netqmail has it.
func together(file string) place { return place{file, []string{file}} }

func (r *Ring) exists(file string) bool {
	_, err := os.Stat(filepath.Join(r.home, file))
	return err == nil
}

// keyFor returns the key that a request to sign means.
func (r *Ring) keyFor(q keyproto.Request) (crypto.Signer, error) {
	if q.Kind == keyproto.DKIM {
		h, err := r.key(dkimFile(q.Name))
		if err != nil {
			return nil, err
		}
		return h.key, nil
	}
	p, err := r.places(q)
	if err != nil {
		return nil, err
	}
	for _, file := range p.keys {
		h, err := r.key(file)
		if err == nil && h.id == q.Key {
			return h.key, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is not the key of %s", p.keys[0], p.chain)
}

func dkimFile(name string) string { return "keys/dkim/" + name + ".pem" }

// sign signs a message that has the form.
func (r *Ring) sign(q keyproto.Request) ([]byte, error) {
	key, err := r.keyFor(q)
	if err != nil {
		return nil, err
	}
	if err = checkForm(q, key); err != nil {
		return nil, err
	}
	if q.Kind == keyproto.DKIM {
		sum := sha256.Sum256(q.Message)
		if _, ok := key.(ed25519.PrivateKey); ok { // RFC 8463 signs the sum itself
			return key.Sign(rand.Reader, sum[:], crypto.Hash(0))
		}
		return key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	opts := crypto.SignerOpts(q.Hash)
	if q.PSS {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: q.Hash}
	}
	return crypto.SignMessage(key, rand.Reader, q.Message, opts)
}

// public returns the public key of a DKIM key, in PKIX form.
func (r *Ring) public(name string) ([]byte, error) {
	h, err := r.key(dkimFile(name))
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(h.key.Public())
}

// key returns the key in a file, which is read again only when it has changed.
func (r *Ring) key(file string) (*held, error) {
	now, err := os.Stat(filepath.Join(r.home, file))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	h := r.keys[file]
	r.mu.Unlock()
	if h != nil && same(h.file, now) {
		return h, nil
	}
	b, fi, err := r.read(file)
	if err != nil {
		return nil, err
	}
	key, err := keyIn(b)
	clear(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	h = &held{fi, key, sha256.Sum256(public)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) >= maxKeys {
		clear(r.keys)
	}
	r.keys[file] = h
	return h, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
