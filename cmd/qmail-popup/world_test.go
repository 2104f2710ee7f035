package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
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
	session := func(password, commands string) string {
		c, err := net.Dial("tcp", "127.0.0.1:110")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answer := make([]byte, 1000)
		for _, line := range []string{"", "USER joe\r\n", "PASS " + password + "\r\n"} {
			io.WriteString(c, line)
			if n, _ := c.Read(answer); !strings.HasPrefix(string(answer[:n]), "+OK") {
				return string(answer[:n])
			}
		}
		io.WriteString(c, commands)
		b, _ := io.ReadAll(c)
		return string(b)
	}
	if got := session("bad", ""); got != "-ERR authorization failed\r\n" {
		t.Errorf("%q", got)
	}
	got, want := session("good", "RETR 1\r\nDELE 1\r\nQUIT\r\n"),
		"+OK \r\nSubject: x\r\n\r\n..hello\r\n\r\n.\r\n+OK \r\n+OK \r\n"
	if got != want {
		t.Errorf("%q", got)
	}
	if left, _ := filepath.Glob(dir + "/Maildir/*/*"); len(left) > 0 {
		t.Errorf("%q", left)
	}
}
