package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keys"
	"qmail/internal/tls/server"
	"qmail/internal/worker"
)

// secured is what this test binary does in the place of qmail-smtpsd: TLS from the start, and a word.
func secured() exit.Code {
	link, works := worker.Offered("qmail-smtpsd")
	k, err := keys.Open(works)
	if err != nil {
		return exit.Temp
	}
	config := server.Config(k)
	serve := func(f *os.File) {
		d := sys.NewDialogue(f, f)
		d.Timeout(poll.Limit)
		conn, err := server.Handshake(d, config, poll.Limit)
		if err == nil {
			io.WriteString(conn, "qmail")
			conn.Close()
		}
	}
	if !works { // no worker was at hand
		serve(os.Stdin)
		return exit.OK
	}
	return link.Serve(1, func(j worker.Job, _ *worker.Output) worker.Answer {
		serve(j.Files[0])
		return worker.Answer{Last: k.Broken()}
	})
}

// certify makes key and certificate of a name, as an administrator does.
func certify(t *testing.T, name string, private, public any) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	b, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid, _ := testqmail.Account(conf.UserNames().Key)
	os.Mkdir(home("control/tlscerts"), 0o755)
	file, chain := home("keys/tls/"+name+".pem"), home("control/tlscerts/"+name)
	err = errors.Join(
		os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
		os.Chown(file+".new", uid, gid), os.Rename(file+".new", file),
		os.WriteFile(chain+".new", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b}), 0o644),
		os.Rename(chain+".new", chain),
	)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(b)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// handshake returns the certificate that the server at address proves.
func handshake(t *testing.T, address, name string, version uint16) (*x509.Certificate, error) {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
	})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	word, err := io.ReadAll(c)
	if err == nil && string(word) != "qmail" {
		err = errors.New("it says " + string(word))
	}
	return c.ConnectionState().PeerCertificates[0], err
}

func TestWorkersWithTLSShareOneProcessThatHasTheKeys(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(home("bin/qmail-smtpsd"))
	if err := os.WriteFile(home("bin/qmail-smtpsd"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	controls(t, map[string]string{"me": "a.test\n"})
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	edPublic, ed, _ := ed25519.GenerateKey(rand.Reader)
	certs := map[string]*x509.Certificate{
		"a.test": certify(t, "a.test", ec, ec.Public()), "b.test": certify(t, "b.test", rsaKey, rsaKey.Public()),
		"c.test": certify(t, "c.test", ed, edPublic),
	}
	address, _ := listening(t, "127.0.0.1", false, home("bin/qmail-smtpsd"))
	all := func() {
		t.Helper()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for name, want := range map[string]*x509.Certificate{
				"a.test": certs["a.test"], "B.test": certs["b.test"], "c.test": certs["c.test"],
				"": certs["a.test"], "other.test": certs["a.test"], "..": certs["a.test"], "a/b": certs["a.test"],
			} {
				if got, err := handshake(t, address, name, version); err != nil || !got.Equal(want) {
					t.Errorf("%x to %q: %v", version, name, err)
				}
			}
		}
	}
	all()
	poll.Until(t, "one qmail-key", func() bool { return processes("qmail-key") == 1 })
	ec, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	certs["a.test"] = certify(t, "a.test", ec, ec.Public())
	all()
	if _, err := handshake(t, address, "a.test", tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	pids, _ := exec.Command("pidof", "qmail-key").Output()
	for _, pid := range strings.Fields(string(pids)) {
		n, _ := strconv.Atoi(pid)
		syscall.Kill(n, syscall.SIGKILL)
	}
	poll.Until(t, "another qmail-key serves", func() bool {
		_, err := handshake(t, address, "a.test", tls.VersionTLS13)
		return err == nil
	})
	all()
	os.Remove(filepath.Join(conf.Home(), "bin/qmail-smtpsd"))
}
