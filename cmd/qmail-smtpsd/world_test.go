package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
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

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

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

// install makes m.test a server with a certificate.
func install(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
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
	put(t, home("keys/tls/m.test.pem"), conf.UserNames().Key, text("PRIVATE KEY", private), 0o600)
	put(t, home("control/tlscerts/m.test"), "root", text("CERTIFICATE", der), 0o644)
	put(t, home("control/me"), "root", "m.test\n", 0o644)
}

// serve starts a listening tcp-env with the program and returns its address and its log.
func serve(t *testing.T, env ...string) (address string, log *bytes.Buffer) {
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
	cmd := exec.Command(home("bin/tcp-env"), home("bin/qmail-smtpsd"))
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

// greet connects, and does STARTTLS.
func greet(t *testing.T, address string) (*tls.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(poll.Limit))
	r := bufio.NewReader(c)
	said := dialogue(t, c, r, "", "EHLO x\r\n", "STARTTLS\r\n")
	if !strings.Contains(said, "250-STARTTLS\r\n") || !strings.HasSuffix(said, "220 ready for TLS\r\n") {
		t.Fatalf("%q", said)
	}
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s, bufio.NewReader(s)
}

// dialogue reads a reply for each line that it says.
func dialogue(t *testing.T, c io.Writer, r *bufio.Reader, lines ...string) string {
	t.Helper()
	var all strings.Builder
	for _, l := range lines {
		io.WriteString(c, l)
		for {
			reply, err := r.ReadString('\n')
			all.WriteString(reply)
			if err != nil {
				t.Fatalf("%q, then %v", all.String(), err)
			}
			if len(reply) > 3 && reply[3] == ' ' {
				break
			}
		}
	}
	return all.String()
}

// queued returns the text of the one message that is waiting in todo's company, and removes it.
func queued(t *testing.T) string {
	t.Helper()
	files, _ := filepath.Glob(home("queue/mess/*/*"))
	if len(files) != 1 {
		t.Fatalf("%d messages are queued", len(files))
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(files[0])
	os.Remove(home("queue/todo/" + filepath.Base(files[0])))
	return string(b)
}

func TestOneServerServesClientsWithAndWithoutTLSAndItsWorkersNeverSeeTheKey(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	install(t)
	address, log := serve(t)
	c, r := greet(t, address)
	said := dialogue(t, c, r, "EHLO y\r\n", "MAIL FROM:<a@b.test>\r\n", "RCPT TO:<c@m.test>\r\n", "DATA\r\n",
		"\r\nx\r\n.\r\n", "QUIT\r\n")
	if strings.Contains(said, "STARTTLS") || !strings.Contains(said, "354 go ahead\r\n250 ok ") {
		t.Errorf("%q", said)
	}
	if m := queued(t); !strings.Contains(m, "with ESMTPS (TLS_AES_128_GCM_SHA256, TLS1.3); ") {
		t.Errorf("%q", m)
	}
	if !strings.Contains(log.String(), ": TLS: TLS_AES_128_GCM_SHA256, TLS1.3\n") {
		t.Errorf("%q", log.String())
	}
	// The peers of Debian, by the same worker or another.
	host, port, _ := net.SplitHostPort(address)
	for _, command := range []string{
		"printf 'QUIT\\r\\n' | openssl s_client -quiet -tls1_2 -starttls smtp -connect " + address,
		"printf 'QUIT\\r\\n' | openssl s_client -quiet -tls1_3 -starttls smtp -connect " + address,
		fmt.Sprintf("swaks --tls --server %s --port %s --from a@b.test --to c@m.test --h-Subject secret", host, port),
		fmt.Sprintf("printf 'Subject: secret\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k smtp://%s --mail-from a@b.test "+
			"--mail-rcpt c@m.test -T -", address),
		fmt.Sprintf("swaks --server %s --port %s --from a@b.test --to c@m.test --h-Subject plain", host, port),
	} {
		program := strings.Fields(command[strings.LastIndex(command, "|")+1:])[0]
		testqmail.Need(t, program)
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
			continue
		}
		if strings.Contains(command, "Subject") {
			m := queued(t)
			if want := strings.Contains(command, "secret"); strings.Contains(m, "with ESMTPS (") != want {
				t.Errorf("%s: %q", command, m)
			}
		}
	}
}

func TestTwoHundredHeldHandshakesDoNotKeepAnHonestClientWaiting(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	install(t)
	address, _ := serve(t, "SMTPS=")
	for i := range 200 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/40))}}
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("\x16\x03\x01\x02\x00\x01"))
	}
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	if said := dialogue(t, c, bufio.NewReader(c), "", "QUIT\r\n"); !strings.HasPrefix(said, "220 m.test ESMTP\r\n221") {
		t.Errorf("%q", said)
	}
}
