package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// check takes the password "good" and runs its arguments, as a checkpassword does.
const check = `#!/bin/sh
exec 4<&3
login=$(tr '\0' ' ' <&4)
exec 3<&- 4<&-
case $login in "joe good "*) exec "$@";; esac
exit 1
`

func TestMailIsReadOverAnyCheckpassword(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	dir := t.TempDir()
	for _, sub := range []string{"", "tmp", "new", "cur"} {
		os.Mkdir(filepath.Join(dir, "Maildir", sub), 0o700)
	}
	os.WriteFile(dir+"/Maildir/new/1.a", []byte("Subject: x\n\n.hello\n"), 0o600)
	exec.Command("touch", "-d", "1 hour ago", dir+"/Maildir/new/1.a").Run()
	os.WriteFile(dir+"/check", []byte(check), 0o755)
	l, err := net.Listen("tcp", "127.0.0.1:110")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	bin := conf.Home() + "/bin/"
	server := exec.Command(bin+"tcp-env", "-R", bin+"qmail-popup", "m.test", dir+"/check", bin+"qmail-pop3d",
		dir+"/Maildir")
	server.Stdin = f
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	// Pipelined, what is behind the password is for qmail-pop3d.
	session := func(password, commands string, pipelined bool) string {
		c, err := net.Dial("tcp", "127.0.0.1:110")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		r := bufio.NewReader(c)
		lines := []string{"", "USER joe\r\n", "PASS " + password + "\r\n", commands}
		if pipelined {
			lines = []string{strings.Join(lines, ""), "", "", ""}
		}
		for i, line := range lines[:3] {
			io.WriteString(c, line)
			if l, _ := r.ReadString('\n'); !strings.HasPrefix(l, "+OK") {
				return l
			}
			if user := talkerUser(t); i == 0 && !pipelined && user != "qmaild" {
				t.Errorf("a stranger's lines are read by %s", user)
			}
		}
		io.WriteString(c, lines[3])
		b, _ := io.ReadAll(r)
		return string(b)
	}
	if got := session("bad", "", false); got != "-ERR authorization failed\r\n" {
		t.Errorf("%q", got)
	}
	const message = "+OK \r\nSubject: x\r\n\r\n..hello\r\n\r\n.\r\n+OK \r\n"
	if got := session("good", "RETR 1\r\nQUIT\r\n", true); got != message {
		t.Errorf("%q", got)
	}
	if got := session("good", "RETR 1\r\nDELE 1\r\nQUIT\r\n", false); got != message+"+OK \r\n" {
		t.Errorf("%q", got)
	}
	if left, _ := filepath.Glob(dir + "/Maildir/*/*"); len(left) > 0 {
		t.Errorf("%q", left)
	}
}

// talkerUser returns who runs the qmail-popup that talks with the client.
func talkerUser(t *testing.T) string {
	t.Helper()
	daemon, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, _ := os.ReadFile(f); string(b) != talker+"\x00m.test\x00none\x00" {
			continue
		}
		b, _ := os.ReadFile(filepath.Dir(f) + "/status")
		_, ids, _ := strings.Cut(string(b), "\nUid:\t")
		id, _, _ := strings.Cut(ids, "\n")
		want := strconv.Itoa(daemon.UID)
		if id == strings.Join([]string{want, want, want, want}, "\t") {
			return conf.UserNames().Daemon
		}
		return "uid " + id
	}
	return "nobody"
}
