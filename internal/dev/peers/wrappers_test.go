//go:build linux

package peers

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

// wrap puts wrappers in the place of our programs.
func (q *qmail) wrap(kind string, setuid bool) {
	q.t.Helper()
	q.sh("mkdir -p /run/seen; rm -f /run/seen/*")
	for _, name := range []string{"qmail-local", "qmail-remote", "qmail-queue"} {
		path := home("bin/" + name)
		q.sh("mv " + path + " " + path + ".orig; touch /run/seen/" + name + "; chmod 666 /run/seen/" + name)
		if kind == "script" {
			q.install("wrapper.sh", path)
			q.sh("chmod 755 " + path)
			continue
		}
		q.install("wrapper.c", "/run/wrapper.c")
		q.sh("gcc -DNAME='\"" + name + "\"' -o " + path + " /run/wrapper.c && chmod 755 " + path)
		if setuid && name == "qmail-queue" {
			q.sh("chown qmailq:qmail " + path + " && chmod 4711 " + path)
		}
	}
}

func TestWrappersOfOurProgramsSeeEveryMessage(t *testing.T) {
	if !inside(t, "gcc") {
		return
	}
	for _, c := range []struct {
		name, kind string
		setuid     bool
	}{{"scripts", "script", false}, {"C programs", "c", false}, {"C programs with setuid", "c", true}} {
		t.Run(c.name, func(t *testing.T) {
			q := here(t)
			q.configure()
			q.control("smtproutes", ":[127.0.0.1]:2525\n", "rcpthosts", "")
			q.sh("rm -rf /run/home/me/Maildir; cp -a " + home("bin") + " /run/saved")
			defer q.sh("rm -r " + home("bin") + "/*; cp -a /run/saved/. " + home("bin") + "; rm -r /run/saved")
			q.maildir("me")
			q.own("me", ".qmail-default", "./Maildir/\n")
			received := sink(t, "127.0.0.1:2525")
			q.wrap(c.kind, c.setuid)
			q.start()
			q.control("rcpthosts", "qmail.test\nfar.test\n")
			stop := q.serve("socket")
			// Messages by SMTP, on connections that follow each other, so that kept programs would be used.
			const n = 24
			var want []string
			for i := range n {
				to := fmt.Sprintf("me-%d@qmail.test", i)
				if i%2 == 1 {
					to = fmt.Sprintf("you-%d@far.test", i)
				}
				want = append(want, to)
				smtpSend(t, "127.0.0.1:25", "me-b@qmail.test", to, "Subject: x\r\n\r\nx\r\n")
			}
			for range n / 2 {
				select {
				case <-received:
				case <-time.After(poll.Limit):
					t.Fatalf("a message did not come; the log:\n%s", tail(q.text()))
				}
			}
			q.waitEmpty()
			if got := len(q.messages("me")); got != n/2 {
				t.Errorf("%d messages", got)
			}
			local, remote, queue := q.read("/run/seen/qmail-local"), q.read("/run/seen/qmail-remote"),
				q.read("/run/seen/qmail-queue")
			for i, to := range want {
				if i%2 == 0 && !strings.Contains(local, fmt.Sprintf(" %d\n", i)) {
					t.Errorf("qmail-local's wrapper did not see %s", to)
				}
				if i%2 == 1 && !strings.Contains(remote, " "+to+"\n") {
					t.Errorf("qmail-remote's wrapper did not see %s", to)
				}
			}
			saw := map[string]bool{}
			for _, l := range strings.Split(queue, "\n") {
				pid, _, _ := strings.Cut(l, " ")
				saw[pid] = true
			}
			qps := 0
			for _, l := range strings.Split(q.text(), "\n") {
				if f := strings.Fields(l); len(f) > 9 && f[0] == "info" {
					qps++
					if pid := f[len(f)-3]; !saw[pid] {
						t.Errorf("qmail-queue's wrapper did not see process %s", pid)
					}
				}
			}
			if qps != n {
				t.Errorf("%d messages in the log", qps)
			}
			stop()
			q.stop()
		})
	}
}

// smtpSend sends one message.
func smtpSend(t *testing.T, addr, from, to, text string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	fmt.Fprintf(c, "HELO x\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from, to)
	var got bytes.Buffer
	b := make([]byte, 4096)
	for !strings.Contains(got.String(), "354") {
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("%s: %v %s", to, err, got.String())
		}
		got.Write(b[:n])
	}
	fmt.Fprintf(c, "%s.\r\nQUIT\r\n", text)
	for !strings.Contains(got.String(), "\n221") {
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("%s: %v %s", to, err, got.String())
		}
		got.Write(b[:n])
	}
	if !strings.Contains(got.String(), " qp ") {
		t.Fatalf("%s: %s", to, got.String())
	}
}
