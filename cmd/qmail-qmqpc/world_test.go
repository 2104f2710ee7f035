package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys/passwd"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// The null client is this machine with QMAILQUEUE, the queue host the same machine without. The first server is
// dead, the second hangs up, the third takes the message.
func TestANullClientsMailIsInTheQueueOfTheFirstHostThatTakesIt(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	home := conf.Home()
	for name, text := range map[string]string{"me": "m.test\n", "qmqpservers": "127.0.0.9\n127.0.0.8\n127.0.0.1\n"} {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rude, err := net.Listen("tcp", "127.0.0.8:628")
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:628")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	e, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(home+"/bin/tcp-env", "-R", home+"/bin/qmail-qmqpd")
	server.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(e.UID), Gid: uint32(e.GID)}}
	server.Stdin = f
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()

	const messages = 5
	for range messages {
		inject := exec.Command(home+"/bin/qmail-inject", "-fa@b.test", "c@d.test")
		inject.Env = append(os.Environ(), "QMAILQUEUE=bin/qmail-qmqpc")
		inject.Stdin = strings.NewReader("Subject: x\n\nhello\n")
		if out, err := inject.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	todo, _ := filepath.Glob(home + "/queue/todo/*")
	if len(todo) != messages {
		t.Fatalf("%d messages are queued", len(todo))
	}
	mess, _ := filepath.Glob(home + "/queue/mess/*/" + filepath.Base(todo[0]))
	if b, _ := os.ReadFile(mess[0]); !strings.Contains(string(b), "with QMQP;") ||
		!strings.HasSuffix(string(b), "\n\nhello\n") {
		t.Errorf("%q", b)
	}
	server.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("SIGTERM does not end it")
	}
}
