// Package testserver runs a server of SMTP with TLS in a world of package testqmail.
package testserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func home(path string) string { return filepath.Join(conf.Home(), path) }

// put makes a file that belongs to somebody.
func put(t *testing.T, path, owner, text string, mode os.FileMode) {
	t.Helper()
	uid, gid, ok := testqmail.Account(owner)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if !ok || os.WriteFile(path, []byte(text), mode) != nil || os.Chown(path, uid, gid) != nil {
		t.Fatal(path)
	}
}

// Pair makes a key and a certificate of nobody, in PEM.
func Pair(t *testing.T) (private, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("PRIVATE KEY", b), text("CERTIFICATE", der)
}

// Install makes m.test a server with a certificate.
func Install(t *testing.T) {
	t.Helper()
	private, certificate := Pair(t)
	put(t, home("keys/tls/m.test.pem"), conf.UserNames().Key, private, 0o600)
	put(t, home("control/tlscerts/m.test"), "root", certificate, 0o644)
	put(t, home("control/me"), "root", "m.test\n", 0o644)
}

// Serve starts a listening tcp-env with a program of HOME/bin, and its arguments, until the test ends; it returns the
// address and the log.
func Serve(t *testing.T, program string, env ...string) (address string, log *bytes.Buffer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	cmd := exec.Command(home("bin/tcp-env"), strings.Fields(home("bin/"+program))...)
	uid, gid, _ := testqmail.Account(conf.UserNames().Daemon)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	log = new(bytes.Buffer)
	cmd.Env, cmd.Stdin, cmd.Stderr = append([]string{"PATH=" + os.Getenv("PATH")}, env...), f, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	return address, log
}

// Resolve has texts in the DNS until stop, or the end of the test: each a name and strings, with commas between them.
func Resolve(t *testing.T, texts ...string) (stop func()) {
	t.Helper()
	testqmail.Need(t, "dnsmasq")
	args := []string{"--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.5",
		"--bind-interfaces", "--user=root", "--local=/test/"}
	for _, x := range texts {
		args = append(args, "--txt-record="+x)
	}
	conf := []byte("nameserver 127.0.0.5\noptions timeout:1 attempts:1\n")
	if err := os.WriteFile("/etc/resolv.conf", conf, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dnsmasq", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	t.Cleanup(stop)
	Listens(t, "tcp", "127.0.0.5:53", func() string { return "" })
	return stop
}

// Listens waits until somebody accepts connections at an address; said is told if that takes too long.
func Listens(t *testing.T, network, address string, said func() string) {
	t.Helper()
	poll.Until(t, "somebody listens at "+address, func() bool {
		c, err := net.Dial(network, address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, said)
}

// SetControl writes a control file of one line, or more.
func SetControl(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(home("control/"+name), []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Send sends a message from joe@a.test to ann@m.test, and returns what the server answers.
func Send(address, header string) error {
	err := smtp.SendMail(address, nil, "joe@a.test", []string{"ann@m.test"}, []byte(header+"\r\n\r\nbody\r\n"))
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("%d %s", e.Code, e.Msg)
	}
	return err
}

// Queued returns the text of the one message that is waiting in todo's company, and removes it.
func Queued(t *testing.T) string {
	t.Helper()
	files, _ := filepath.Glob(home("queue/mess/*/*"))
	if len(files) != 1 {
		t.Fatalf("%d messages are queued", len(files))
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{files[0], home("queue/todo/" + filepath.Base(files[0])),
		home("queue/intd/" + filepath.Base(files[0]))} {
		os.Remove(name)
	}
	return string(b)
}
