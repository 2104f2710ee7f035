package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
)

// certificate makes a file with a certificate for names that ends some time from now.
func certificate(t *testing.T, path string, left time.Duration, names ...string) string {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(left)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: ends}
	b, err := x509.CreateCertificate(nil, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	os.MkdirAll(filepath.Dir(path), 0o755)
	b = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b})
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return ends.UTC().Format("2006-01-02 15:04:05 UTC")
}

func TestItIsSaidWhichCertificateServesWhichNameAndWhenItEnds(t *testing.T) {
	const day = 24 * time.Hour
	dir := t.TempDir()
	shown := func() string {
		var b strings.Builder
		out := bufio.NewWriter(&b)
		if oops := show(out, control.Dir(dir)); oops != "" {
			t.Error(oops)
		}
		out.Flush()
		return b.String()
	}
	if s := shown(); strings.Contains(s, "TLS") {
		t.Errorf("nothing is there: %s", s)
	}
	a := certificate(t, filepath.Join(dir, "tlscerts/a.test"), 60*day, "a.test", "www.a.test")
	b := certificate(t, filepath.Join(dir, "tlscerts/b.test"), 3*day+time.Hour, "b.test\x1b[31m")
	c := certificate(t, filepath.Join(dir, "servercert.pem"), -day, "c.test")
	os.WriteFile(filepath.Join(dir, "tlscerts/x.test"), []byte("no certificate"), 0o644)
	for _, want := range []string{
		"TLS clients of a.test get the certificate for a.test, www.a.test, until " + a + ".\n",
		"of b.test get the certificate for b.test?[31m, until " + b + ".\nOops! It ends in 3 days.\n",
		"TLS clients that name no server, or none of tlscerts, get the certificate for c.test, until " + c +
			".\nOops! It has ended.\n",
		"of x.test get the certificate for nobody.\nOops! Trouble with it: there is no certificate in it.\n",
	} {
		if s := shown(); !strings.Contains(s, want) {
			t.Errorf("no %q in %s", want, s)
		}
	}
	os.WriteFile(filepath.Join(dir, "me"), []byte("b.test\n"), 0o644)
	if s := shown(); !strings.Contains(s, "Those that name no server, or another, get that of b.test.\n") ||
		!strings.Contains(s, "Not used, since tlscerts has my name.") {
		t.Error(s)
	}
}
