//go:build linux

package services

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// sh runs shell commands that must succeed and returns what they print.
func sh(t *testing.T, commands string) string {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-e", "-c", commands)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + conf.Home() + "/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

// wait waits until fn is true.
func wait(t *testing.T, what string, fn func() bool, trace ...string) {
	t.Helper()
	poll.Until(t, what, fn, func() (said string) {
		for _, pattern := range trace {
			files, _ := filepath.Glob(pattern)
			for _, f := range files {
				text, _ := os.ReadFile(f)
				said += fmt.Sprintf("%s:\n%s", f, text)
			}
		}
		return said
	})
}

// smtp gives the server at the address a message for me, and waits for the end of the connection.
func smtp(t *testing.T, address, subject string) {
	t.Helper()
	var c net.Conn
	wait(t, "an SMTP server", func() (ok bool) {
		var err error
		c, err = net.Dial("tcp", address)
		return err == nil
	}, "/var/log/qmail/*/current")
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	r := bufio.NewReader(c)
	for _, say := range []string{"HELO client", "MAIL FROM:<>", "RCPT TO:<me@" + testqmail.Host + ">", "DATA",
		"Subject: " + subject + "\r\n\r\n.", "QUIT"} {
		for {
			l, err := r.ReadString('\n')
			if err != nil || l[0] != '2' && l[0] != '3' {
				t.Fatalf("before %q: %q, %v", say, l, err)
			}
			if l[3] == ' ' {
				break
			}
		}
		io.WriteString(c, say+"\r\n")
	}
	if last, err := io.ReadAll(r); err != nil || !strings.Contains(string(last), "221 ") {
		t.Fatalf("the end of the connection: %q, %v", last, err)
	}
}

// A supervisor is how services run under it.
type supervisor struct {
	name           string
	programs       []string
	scan           []string // the command that watches over a folder
	down, up, term string   // commands for one service, its folder to be added
}

func supervisors() []supervisor {
	return []supervisor{
		{"daemontools", []string{"svscan", "multilog", "setuidgid"}, []string{"svscan"}, "svc -d", "svc -u", "svc -t"},
		{"runit", []string{"runsvdir", "svlogd", "chpst"}, []string{"runsvdir", "-P"}, "sv down", "sv up", "sv term"},
		{"s6", []string{"s6-svscan", "s6-log", "s6-setuidgid"}, []string{"s6-svscan"}, "s6-svc -d", "s6-svc -u", "s6-svc -r"},
	}
}

func TestServicesRunUnderDaemontools(t *testing.T) { underSupervisor(t, supervisors()[0]) }
func TestServicesRunUnderRunit(t *testing.T)       { underSupervisor(t, supervisors()[1]) }
func TestServicesRunUnderS6(t *testing.T)          { underSupervisor(t, supervisors()[2]) }

// underSupervisor installs the service directories as docs/SERVICES.md says, and has mail go through them.
func underSupervisor(t *testing.T, s supervisor) {
	t.Parallel()
	testqmail.Need(t, append(s.programs, "tcpserver", "perl")...)
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	sh(t, `mount -t tmpfs tmpfs /var/log; `+source+`/config-fast `+testqmail.Host+`
mkdir /run/sv /run/service; cp -R `+conf.Home()+`/boot/`+s.name+`/. /run/sv
cp -R /run/sv/qmail-send /run/sv/qmail-smtpd /run/service`)
	scan := exec.Command(s.scan[0], append(s.scan[1:], "/run/service")...)
	scan.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	scan.Stdout, scan.Stderr = os.Stderr, os.Stderr
	if err := scan.Start(); err != nil {
		t.Fatal(err)
	}
	defer scan.Process.Kill()

	const logs = "/var/log/qmail/*/current"
	mailbox := testqmail.HomeOf("me") + "/Mailbox"
	arrived := func(subject string) {
		t.Helper()
		wait(t, "the message "+subject, func() bool {
			b, _ := os.ReadFile(mailbox)
			return strings.Contains(string(b), "Subject: "+subject+"\n")
		}, logs)
	}
	smtp(t, "127.0.0.1:25", "four")
	arrived("four")
	smtp(t, "[::1]:25", "six")
	arrived("six")

	// A restart loses nothing: what comes meanwhile waits in the queue.
	sh(t, s.down+" /run/service/qmail-send")
	log := func() string { b, _ := os.ReadFile("/var/log/qmail/qmail-send/current"); return string(b) }
	wait(t, "qmail-send to end", func() bool { return strings.HasSuffix(log(), "status: exiting\n") }, logs)
	smtp(t, "127.0.0.1:25", "waiting")
	sh(t, s.up+" /run/service/qmail-send")
	arrived("waiting")
	checkLog(t, log())

	// The other way to serve SMTP, in the place of the first.
	sh(t, s.down+" /run/service/qmail-smtpd")
	wait(t, "the port to close", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:25")
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	sh(t, `cp -R /run/sv/qmail-smtpd-tcpserver /run/new; mv /run/new /run/service/tcpserver
case `+s.name+` in s6) s6-svscanctl -a /run/service;; esac`)
	smtp(t, "127.0.0.1:25", "tcpserver")
	arrived("tcpserver")
	for _, want := range []string{"tcpserver: status: 1/40", "tcpserver: end "} {
		wait(t, want, func() bool {
			b, _ := os.ReadFile("/var/log/qmail/qmail-smtpd-tcpserver/current")
			return strings.Contains(string(b), want)
		}, logs)
	}
}

// checkLog sees that each line of a log has a time stamp and then the text as qmail-send wrote it, and that qmail-log
// understands it.
func checkLog(t *testing.T, log string) {
	t.Helper()
	line := regexp.MustCompile(`^@[0-9a-f]{24} (status: (local \d+/10 remote \d+/20|exiting)|new msg \d+|end msg \d+` +
		`|info msg \d+: bytes \d+ from <> qp \d+ uid \d+|starting delivery \d+: msg \d+ to local me@` +
		regexp.QuoteMeta(testqmail.Host) +
		`|delivery \d+: success: did_1\+0\+0/)$`)
	for _, l := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		if !line.MatchString(l) {
			t.Errorf("an odd line in the log: %q", l)
		}
	}
	for _, word := range []string{"new msg", "delivery 1: success", "end msg", "status: exiting"} {
		if !strings.Contains(log, word) {
			t.Errorf("the log lacks %q:\n%s", word, log)
		}
	}
	out := sh(t, "qmail-log /var/log/qmail/qmail-send/current")
	if !regexp.MustCompile(`\n  successes +3\n`).MatchString(out) {
		t.Errorf("qmail-log: %s", out)
	}
}
