package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
)

// foreign is the least that the UCSPI-TLS convention asks of a superserver: one socket for all three descriptors. It
// serves one client by a command, and returns that client's end.
func foreign(t *testing.T, command ...string) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(poll.Limit))
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := server.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	here, there, err := sys.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = f, f, []*os.File{nil, nil, there}
	cmd.Env = append(os.Environ(), "UCSPITLS=", "SSLCTLFD=5", "SSLREADFD=5", "SSLWRITEFD=5")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	there.Close()
	go func() {
		defer server.Close()
		if b := make([]byte, 1); readOne(here, b) && b[0] == 'Y' {
			c := tls.Server(server, configuration(t))
			if c.Handshake() == nil {
				here.WriteString("SSL_PROTOCOL=TLSv1.3\x00SSL_CIPHER=X\x00\x00")
				go io.Copy(here, c)
				io.Copy(c, here)
				c.Close()
			}
		}
	}()
	t.Cleanup(func() { client.Close(); cmd.Wait(); here.Close() })
	return client
}

func readOne(r io.Reader, b []byte) bool {
	_, err := io.ReadFull(r, b)
	return err == nil
}

func configuration(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Error(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Error(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestMailIsReadUnderAnySuperserverOfTheConvention(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	dir := t.TempDir()
	for _, sub := range []string{"", "tmp", "new", "cur"} {
		os.Mkdir(filepath.Join(dir, "Maildir", sub), 0o700)
	}
	os.WriteFile(dir+"/check", []byte(check), 0o755)
	bin := conf.Home() + "/bin/"
	popup := []string{bin + "qmail-popup", "m.test", dir + "/check", bin + "qmail-pop3d", dir + "/Maildir"}
	other := append([]string{"setpriv", "--reuid=orcjoe", "--regid=nofiles", "--clear-groups"}, popup...)
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Dir(dir), 0o755)
	exec.Command("chown", "-R", "orcjoe", dir+"/Maildir").Run()
	exec.Command("chmod", "755", bin+"qmail-popup").Run()
	for name, command := range map[string][]string{"root": popup, "a user": other} {
		c := foreign(t, command...)
		r := bufio.NewReader(c)
		for _, say := range []string{"", "STLS\r\n"} {
			io.WriteString(c, say)
			if l, err := r.ReadString('\n'); err != nil || l[:3] != "+OK" {
				t.Fatalf("%s: %q was answered by %q, %v", name, say, l, err)
			}
		}
		s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		io.WriteString(s, "AUTH PLAIN AGpvZQBnb29k\r\nSTAT\r\nQUIT\r\n")
		b, err := io.ReadAll(s)
		if string(b) != "+OK \r\n+OK 0 0\r\n+OK \r\n" || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
