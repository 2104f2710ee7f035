package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
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
	cmd := exec.Command(home("bin/tcp-env"), home("bin/qmail-submitd"))
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

// password starts the password server, and gives joe one.
func password(t *testing.T) (stop func()) {
	t.Helper()
	cmd := exec.Command(home("bin/qmail-newauth"), "-a", "joe@m.test")
	cmd.Stdin = strings.NewReader("secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	authd := exec.Command(home("bin/qmail-authd"))
	if err := authd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { authd.Process.Kill(); authd.Wait() }
	t.Cleanup(stop)
	poll.Until(t, "qmail-authd listens", func() bool {
		c, err := net.Dial("unix", home("run/auth"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}, func() string { return "" })
	return stop
}

func TestUsersSendWithThePeersOfDebian(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	install(t)
	stop := password(t)
	address, log := serve(t)
	host, port, _ := net.SplitHostPort(address)
	run := func(command string) (string, error) {
		testqmail.Need(t, strings.Fields(command[strings.LastIndex(command, "|")+1:])[0])
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		return string(out), err
	}
	swaks := "swaks --server " + host + " --port " + port + " --to c@far.test --h-From 'Joe <joe@m.test>' "
	curl := "printf 'From: joe-x@m.test\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k smtp://" + address +
		" -u joe@m.test:secret --mail-from joe@m.test --mail-rcpt c@far.test -T - "
	for _, command := range []string{
		swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret",
		swaks + "--tls --from joe@m.test --auth LOGIN --auth-user joe@m.test --auth-password secret",
		curl + "--login-options AUTH=PLAIN",
	} {
		out, err := run(command)
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
			continue
		}
		m := queued(t)
		for _, want := range []string{" with ESMTPSA (TLS_", "joe@m.test@127.0.0.1)", "Date: ", "Message-I"} {
			if !strings.Contains(m, want) {
				t.Errorf("%s: no %s in %q", command, want, m)
			}
		}
	}
	for command, want := range map[string]string{
		swaks + "--from joe@m.test":       "530 5.7.0",
		swaks + "--tls --from joe@m.test": "530 5.7.0",
		swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password wrong":  "535 5.7.8",
		swaks + "--tls --from eve@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret": "550 5.7.1",
		swaks + "--tls --from joe@m.test --h-From eve@m.test --auth PLAIN --auth-user joe@m.test " +
			"--auth-password secret": "550 5.7.1",
	} {
		if out, err := run(command); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	stop()
	out, err := run(swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret")
	if err == nil || !strings.Contains(out, "454 4.7.0") {
		t.Errorf("without a password server: %v\n%s", err, out)
	}
	if files, _ := filepath.Glob(home("queue/mess/*/*")); len(files) > 0 {
		t.Errorf("%q were queued", files)
	}
	if !strings.Contains(log.String(), ": logged in user <joe@m.test>\n") {
		t.Errorf("%q", log.String())
	}
}
