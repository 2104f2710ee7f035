package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

func TestACertificateThatEndsIsSaid(t *testing.T) {
	const day = 24 * time.Hour
	dir, now := t.TempDir(), time.Now()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(dir, "tlscerts"), 0o755)
	for name, left := range map[string]time.Duration{"a": -day, "b": 5*day + time.Hour, "c": 60 * day} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now.Add(left)}
		b, err := x509.CreateCertificate(nil, template, template, public, key)
		if err != nil {
			t.Fatal(err)
		}
		b = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b})
		if err := os.WriteFile(filepath.Join(dir, "tlscerts", name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "tlscerts/d"), nil, 0o644)
	top, err := sys.OpenFolder("/")
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	var got []string
	certificates(top, control.Dir(dir), passwd.Accounts{}, now, func(path, text string) {
		if strings.HasPrefix(path, dir) {
			got = append(got, filepath.Base(path)+" "+text)
		}
	})
	if want := []string{
		"a ended on " + now.Add(-day).UTC().Format("2006-01-02"), "b ends in 5 days",
		"d cannot be used: there is no certificate in it",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
