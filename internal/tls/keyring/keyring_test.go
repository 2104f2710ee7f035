package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/tls/keyproto"
)

// A home has the keys of a test.
type home struct {
	t   *testing.T
	dir string
}

func newHome(t *testing.T) home { return home{t, t.TempDir()} }

func (h home) write(name string, blocks ...*pem.Block) {
	h.t.Helper()
	var b bytes.Buffer
	for _, p := range blocks {
		pem.Encode(&b, p)
	}
	path := filepath.Join(h.dir, name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		h.t.Fatal(err)
	}
}

func private(t *testing.T, key crypto.Signer) *pem.Block {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: b}
}

func certificate(t *testing.T, key crypto.Signer) *pem.Block {
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	b, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: b}
}

func idOf(t *testing.T, key crypto.Signer) [keyproto.IDSize]byte {
	b, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func proof(t *testing.T, name string, k testKey) keyproto.Request {
	return keyproto.Request{
		Op: keyproto.Sign, Kind: keyproto.Server, Name: name, Key: idOf(t, k.key), Hash: k.hash, PSS: k.pss,
		Message: []byte(forms()[keyproto.Server][0]),
	}
}

func TestASignatureIsThatOfTheKey(t *testing.T) {
	h := newHome(t)
	ec, rsaKey, ed := testKeys(t)
	for name, k := range map[string]testKey{"ec": ec, "rsa": rsaKey, "ed": ed} {
		h.write("keys/tls/"+name+".pem", private(t, k.key))
		h.write("control/tlscerts/"+name, certificate(t, k.key))
	}
	r := New(h.dir)
	for name, k := range map[string]testKey{"ec": ec, "rsa": rsaKey, "ed": ed} {
		q := proof(t, name, k)
		a := r.Answer(q)
		if a.Status != keyproto.Done || len(a.Parts) != 1 {
			t.Errorf("%s: %+v", name, a)
			continue
		}
		sum := sha256.Sum256(q.Message)
		ok := false
		switch public := k.key.Public().(type) {
		case *ecdsa.PublicKey:
			ok = ecdsa.VerifyASN1(public, sum[:], a.Parts[0])
		case *rsa.PublicKey:
			ok = rsa.VerifyPSS(public, crypto.SHA256, sum[:], a.Parts[0], nil) == nil
		case ed25519.PublicKey:
			ok = ed25519.Verify(public, q.Message, a.Parts[0])
		}
		if !ok {
			t.Errorf("%s: the signature is wrong", name)
		}
	}
}

func TestSignedMailIsVerifiedAsTheStandardsSay(t *testing.T) {
	h := newHome(t)
	_, rsaKey, ed := testKeys(t)
	h.write("keys/dkim/b.test/s1.pem", private(t, rsaKey.key))
	r := New(h.dir)
	q := keyproto.Request{
		Op: keyproto.Sign, Kind: keyproto.DKIM, Name: "b.test/s1", Message: []byte(forms()[keyproto.DKIM][0]),
	}
	sum := sha256.Sum256(q.Message)
	a := r.Answer(q)
	if a.Status != keyproto.Done ||
		rsa.VerifyPKCS1v15(rsaKey.key.Public().(*rsa.PublicKey), crypto.SHA256, sum[:], a.Parts[0]) != nil {
		t.Errorf("%+v", a)
	}
	h.write("keys/dkim/b.test/s1.pem", private(t, ed.key))
	q.Message = bytes.Replace(q.Message, []byte("rsa"), []byte("ed25519"), 1)
	sum = sha256.Sum256(q.Message)
	if a = r.Answer(q); a.Status != keyproto.Done ||
		!ed25519.Verify(ed.key.Public().(ed25519.PublicKey), sum[:], a.Parts[0]) {
		t.Errorf("%+v", a)
	}
	public := r.Answer(keyproto.Request{Op: keyproto.Chain, Kind: keyproto.DKIM, Name: "b.test/s1"})
	if public.Status != keyproto.Done || sha256.Sum256(public.Parts[0]) != idOf(t, ed.key) {
		t.Errorf("%+v", public)
	}
}

func TestARenewedPairServesAtOnceAndNoMomentIsWithoutAKey(t *testing.T) {
	h := newHome(t)
	before, _, after := testKeys(t)
	h.write("keys/tls/a.pem", private(t, before.key))
	h.write("control/tlscerts/a", certificate(t, before.key))
	r := New(h.dir)
	signs := func(when string, k testKey) {
		t.Helper()
		if a := r.Answer(proof(t, "a", k)); a.Status != keyproto.Done {
			t.Errorf("%s: %+v", when, a)
		}
	}
	signs("before", before)
	h.write("keys/tls/.a.pem", private(t, before.key))
	h.write("keys/tls/a.pem", private(t, after.key))
	signs("new key, old chain", before)
	h.write("control/tlscerts/a", certificate(t, after.key))
	signs("after", after)
	signs("after, a session that began before", before)
	if a := r.Answer(keyproto.Request{Op: keyproto.Chain, Kind: keyproto.Server, Name: "a"}); len(a.Parts) != 2 ||
		!bytes.Equal(a.Parts[1], certificate(t, after.key).Bytes) {
		t.Errorf("the chain is not the new one: %+v", a.Status)
	}
}

func TestTheDefaultIsThatOfMeThenTheOldFileThenTheFirst(t *testing.T) {
	h := newHome(t)
	_, _, k := testKeys(t)
	r := New(h.dir)
	from := func(kind keyproto.Kind) string {
		a := r.Answer(keyproto.Request{Op: keyproto.Chain, Kind: kind})
		if a.Status == keyproto.Done {
			return string(a.Parts[0])
		}
		return string(a.Status)
	}
	if got := from(keyproto.Server); got != string(keyproto.None) {
		t.Errorf("with nothing there: %s", got)
	}
	for _, c := range []struct{ file, want string }{
		{"control/tlscerts/z.test", "control/tlscerts/z.test"},
		{"control/tlscerts/b.test", "control/tlscerts/b.test"},
		{"control/tlscerts/.hidden", "control/tlscerts/b.test"},
		{"control/servercert.pem", "control/servercert.pem"},
		{"control/tlscerts/m.test", "control/tlscerts/m.test"},
	} {
		os.MkdirAll(filepath.Join(h.dir, "control"), 0o755)
		os.WriteFile(filepath.Join(h.dir, "control/me"), []byte("M.test\n"), 0o644)
		h.write(c.file, certificate(t, k.key), private(t, k.key))
		if got := from(keyproto.Server); got != c.want {
			t.Errorf("with %s: %s", c.file, got)
		}
	}
	if got := from(keyproto.Client); got != string(keyproto.None) {
		t.Errorf("a client: %s", got)
	}
	h.write("control/clientcert.pem", private(t, k.key), certificate(t, k.key))
	if got := from(keyproto.Client); got != "control/clientcert.pem" {
		t.Errorf("a client: %s", got)
	}
	if a := r.Answer(proof(t, "", k)); a.Status != keyproto.Trouble {
		t.Errorf("a chain without a key signs: %+v", a)
	}
	os.Remove(filepath.Join(h.dir, "control/tlscerts/m.test"))
	if a := r.Answer(proof(t, "", k)); a.Status != keyproto.Done {
		t.Errorf("the file with key and chain: %+v", a)
	}
}

func TestAFileThatIsNoKeyIsTroubleAndShowsNothing(t *testing.T) {
	h := newHome(t)
	ec, _, _ := testKeys(t)
	h.write("control/tlscerts/a", certificate(t, ec.key))
	secret := "c2VjcmV0"
	for what, text := range map[string]string{
		"empty": "", "no key": "-----BEGIN CERTIFICATE-----\n" + secret + "\n-----END CERTIFICATE-----\n",
		"broken":    "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + secret + "\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"old":       "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: x\n\n" + secret + "\n-----END RSA PRIVATE KEY-----\n",
		"long":      strings.Repeat("x", maxFile+1),
	} {
		path := filepath.Join(h.dir, "keys/tls/a.pem")
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte(text), 0o600)
		a := New(h.dir).Answer(proof(t, "a", ec))
		if a.Status != keyproto.Trouble || strings.Contains(a.Reason, "secret") || strings.Contains(a.Reason, secret) {
			t.Errorf("%s: %+v", what, a)
		}
	}
	h.write("keys/tls/a.pem", private(t, ec.key))
	if a := New(h.dir).Answer(proof(t, "a", ec)); a.Status != keyproto.Done {
		t.Errorf("%+v", a)
	}
}
