//go:build linux

package peers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

// serve starts qmail-smtpd at port 25 in one of the documented ways.
func (q *qmail) serve(way string) (stop func()) {
	q.t.Helper()
	tcpEnv, smtpd := home("bin/tcp-env"), home("bin/qmail-smtpd")
	switch way {
	case "inetd":
		q.inetd()
		stop = func() {}
	case "tcpserver":
		uid, gid, _ := testqmail.Account("qmaild")
		_, stop = q.daemon("root", "tcpserver", "-c", "40", "-u", fmt.Sprint(uid), "-g", fmt.Sprint(gid), "0", "25", smtpd)
	case "socket": // systemd, StandardInput=socket
		stop = q.listen([]string{tcpEnv, smtpd}, false)
	case "systemd": // LISTEN_FDS
		stop = q.listen([]string{tcpEnv, smtpd}, true)
	case "inetd wait":
		q.write("/etc/inetd.conf", strings.ReplaceAll(strings.ReplaceAll(inetdLine, "nowait", "wait"), "@", home("")))
		_, stop = q.daemon("root", "inetd", "-i", "/etc/inetd.conf")
	}
	waitPort(q.t, "127.0.0.1:25")
	return stop
}

// listen starts a program with a listening socket as systemd does.
func (q *qmail) listen(args []string, variables bool) (stop func()) {
	q.t.Helper()
	l, err := net.Listen("tcp", ":25")
	if err != nil {
		q.t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		q.t.Fatal(err)
	}
	l.Close()
	if variables {
		// Systemd sets LISTEN_PID to the number of the process that becomes the program.
		args = append([]string{"/bin/sh", "-c", `exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@"`, "sh"}, args...)
	}
	cmd := q.Command("qmaild", args...)
	cmd.Stderr = os.Stderr
	if variables {
		cmd.ExtraFiles = []*os.File{f}
	} else {
		cmd.Stdin = f
	}
	if err := cmd.Start(); err != nil {
		q.t.Fatal(err)
	}
	f.Close()
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			q.t.Errorf("%q: %v", args, err)
		}
	}
}

func TestSwaksIsServedTheSameByEveryStarter(t *testing.T) {
	if !inside(t, "swaks", "inetd", "tcpserver") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.control("databytes", "300000\n")
	q.start()
	n := 0
	for _, way := range []string{"inetd", "tcpserver", "socket", "systemd", "inetd wait"} {
		t.Run(way, func(t *testing.T) {
			q := &qmail{Machine: q.Machine, t: t, name: q.name, send: q.send}
			stop := q.serve(way)
			defer stop()
			base := []string{"swaks", "--server", "127.0.0.1", "--from", "a@b.test", "--to", "me@qmail.test"}
			swaks := func(args ...string) (string, error) { return q.run("root", "", append(base, args...)...) }
			accepted := func(args ...string) string {
				t.Helper()
				out, err := swaks(args...)
				if err != nil {
					t.Fatalf("%q: %v\n%s", args, err, tail(out))
				}
				n++
				texts := q.waitMessages("me", n)
				return texts[n-1]
			}
			refused := func(code string, args ...string) {
				t.Helper()
				if out, err := swaks(args...); err == nil || !strings.Contains(out, "<** "+code) {
					t.Errorf("%q: %v\n%s", args, err, tail(out))
				}
			}
			if m := accepted("--pipeline", "--h-Subject", "pipelined"); header(m, "Subject")[0] != "pipelined" {
				t.Errorf("pipelined: %q", m)
			}
			m := accepted("--ehlo", "client.test", "--body", "gr\xfc\xdfe\r\n..dots\r\n.\r\n")
			if !strings.Contains(m, "gr\xfc\xdfe\n..dots\n.\n") {
				t.Errorf("8-bit: %q", m)
			}
			if out, _ := swaks("--quit-after", "EHLO"); !strings.Contains(out, "250-PIPELINING\n") ||
				!strings.Contains(out, "250-SIZE 300000\n") || !strings.Contains(out, "250 8BITMIME\n") {
				t.Errorf("EHLO: %s", out)
			}
			if m := accepted("--protocol", "SMTP", "--body", "by HELO"); !strings.Contains(m, "by HELO") {
				t.Errorf("HELO: %q", m)
			}
			huge := t.TempDir() + "/huge"
			os.WriteFile(huge,
				bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n"), 6000), 0o644)
			refused("552", "--data", "@"+huge)
			refused("553", "--to", "me@elsewhere.test")
			refused("451", "--no-data-fixup", "--data", "Subject: bare\n\nbare line feeds\n.\n")
			if m := accepted("--body", "after them all"); !strings.Contains(m, "after them all") {
				t.Errorf("last: %q", m)
			}
		})
	}
	q.waitEmpty()
	q.stop()
}

func TestFetchmailAndMpopReadOurPOP3(t *testing.T) {
	if !inside(t, "fetchmail", "mpop", "tcpserver", "setpriv") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	q.start()
	body := "Subject: pop\n\n.dot\n..dots\ngr\xfc\xdfe\nFrom here\n"
	for range 20 {
		q.inject(body, "me@qmail.test")
	}
	q.waitMessages("me", 20)
	check := "/run/checkpassword"
	q.install("checkpassword", check)
	q.sh("chmod 755 " + check)
	q.nextSecond() // a message of this one is not shown yet
	q.daemon("root", "tcpserver", "-RHl0", "127.0.0.1", "110", home("bin/qmail-popup"), "qmail.test", check,
		home("bin/qmail-pop3d"), "Maildir")
	waitPort(t, "127.0.0.1:110")

	// fetchmail hands the mail on to a delivery agent; first it leaves all on the server.
	q.write("/run/fetchmailrc", "poll 127.0.0.1 protocol pop3 uidl port 110 user \"me\" password \"secret\" mda "+
		"\"/bin/sh -c 'cat >/run/home/orcjoe/got.$$'\" sslproto \"\"\n")
	q.sh("chown orcjoe /run/fetchmailrc; chmod 600 /run/fetchmailrc")
	fetch := func(args ...string) (string, error) {
		return q.run("orcjoe", "",
			append([]string{"fetchmail", "-f", "/run/fetchmailrc", "--idfile", "/run/home/orcjoe/ids"}, args...)...)
	}
	got := func() []string {
		out := strings.Fields(q.sh("ls /run/home/orcjoe | grep got || true"))
		return out
	}
	if out, err := fetch("--keep"); err != nil || len(got()) != 20 {
		t.Fatalf("fetchmail --keep: %v, %d messages\n%s", err, len(got()), tail(out))
	}
	if n := len(q.messages("me")); n != 20 {
		t.Errorf("%d messages after --keep", n)
	}
	// As ever, qmail-pop3d sends an empty line after the message.
	if m := q.sh("cat /run/home/orcjoe/" + got()[0]); !strings.HasSuffix(m, body[len("Subject: pop\n"):]+"\n") {
		t.Errorf("fetched: %q", m)
	}
	// The unique ids are stable: nothing is new. One more message is.
	if out, err := fetch("--keep"); exitCode(err) != 1 || len(got()) != 20 {
		t.Errorf("again: %v, %d messages\n%s", err, len(got()), tail(out))
	}
	q.inject(body, "me@qmail.test")
	q.waitMessages("me", 21)
	q.nextSecond()
	if out, err := fetch("--keep"); err != nil || len(got()) != 21 {
		t.Errorf("one more: %v, %d messages\n%s", err, len(got()), tail(out))
	}
	// A wrong password is refused.
	q.sh("sed -i s/secret/wrong/ /run/fetchmailrc")
	if out, err := fetch(); exitCode(err) != 3 {
		t.Errorf("wrong password: %v\n%s", err, tail(out))
	}
	// mpop takes them away.
	q.own("orcjoe", ".mpoprc",
		"account default\nhost 127.0.0.1\nport 110\nuser me\npassword secret\nauth user\ntls off\nkeep off\n"+
			"delivery maildir /run/home/orcjoe/Maildir\n")
	out := q.must("orcjoe", "mpop")
	if n, left := len(q.messages("orcjoe")), len(q.messages("me")); n != 21 || left != 0 {
		t.Errorf("mpop: %d messages, %d left\n%s", n, left, tail(out))
	}
	q.stop()
}

// exitCode returns the exit code behind the error of a command.
func exitCode(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func (q *qmail) nextSecond() {
	q.t.Helper()
	now := time.Now().Unix()
	q.wait("the next second", func() bool { return time.Now().Unix() > now })
}
