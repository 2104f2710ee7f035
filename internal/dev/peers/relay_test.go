//go:build linux

package peers

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// rcpt says what the server answers to a recipient elsewhere when the client comes from an address.
func rcpt(t *testing.T, from string) string {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: poll.Limit}
	c, err := d.Dial("tcp", "127.0.0.1:25")
	if err != nil {
		return "no connection"
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	fmt.Fprint(c, "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<you@far.test>\r\nQUIT\r\n")
	var got strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		got.Write(b[:n])
		if err != nil {
			break
		}
	}
	lines := strings.Split(got.String(), "\r\n")
	if len(lines) < 7 {
		return "closed"
	}
	return lines[5][:3]
}

func TestTcpdAndTcprulesChooseWhoMayRelay(t *testing.T) {
	if !inside(t, "inetd", "tcpd", "tcpserver", "tcprules") {
		return
	}
	q := here(t)
	q.configure()
	check := func(way string, want map[string]string) {
		t.Helper()
		for from, code := range want {
			if got := rcpt(t, from); got != code {
				t.Errorf("%s: %s from %s, not %s", way, got, from, code)
			}
		}
	}
	// tcpd starts tcp-env, with RELAYCLIENT set for the addresses of hosts.allow.
	q.write("/etc/inetd.conf", strings.ReplaceAll(
		"smtp stream tcp nowait qmaild /usr/sbin/tcpd @/bin/tcp-env @/bin/qmail-smtpd\n", "@", home("")))
	q.write("/etc/hosts.allow", "tcp-env: 127.0.0.2: setenv = RELAYCLIENT\ntcp-env: 127.0.0.3: deny\ntcp-env: ALL\n")
	_, stop := q.daemon("root", "inetd", "-i", "/etc/inetd.conf")
	waitPort(t, "127.0.0.1:25")
	check("tcpd", map[string]string{"127.0.0.1": "553", "127.0.0.2": "250", "127.0.0.3": "closed"})
	stop()

	q.feed("root", "127.0.0.2:allow,RELAYCLIENT=\"\"\n127.0.0.3:deny\n:allow\n", "tcprules", "/run/tcp.smtp.cdb",
		"/run/tcp.smtp.tmp")
	uid, gid, _ := testqmail.Account("qmaild")
	_, stop = q.daemon("root", "tcpserver", "-RH", "-l0", "-x", "/run/tcp.smtp.cdb", "-u", fmt.Sprint(uid), "-g",
		fmt.Sprint(gid), "0", "25", home("bin/qmail-smtpd"))
	waitPort(t, "127.0.0.1:25")
	check("tcpserver", map[string]string{"127.0.0.1": "553", "127.0.0.2": "250", "127.0.0.3": "closed"})
	stop()
}

func TestNothingOfOneClientReachesTheNext(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.start()
	stop := q.serve("socket")
	for i := range 40 {
		c, err := net.Dial("tcp", "127.0.0.1:25")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(poll.Limit))
		// What follows QUIT, or a connection that is cut, is nobody's.
		switch i % 3 {
		case 0:
			fmt.Fprint(c, "EHLO x\r\nMAIL FROM:<left@over.test>\r\nRCPT TO:<me@qmail.test>\r\nQUIT\r\nDATA\r\n"+
				"Subject: after\r\n\r\nx\r\n.\r\nMAIL FROM:<left@over.test>\r\n")
			c.(*net.TCPConn).CloseWrite()
			for b := make([]byte, 4096); ; {
				if _, err := c.Read(b); err != nil {
					break
				}
			}
		case 1:
			fmt.Fprint(c, "EHLO x\r\nMAIL FROM:<left@over.test>\r\nRCPT TO:<me@qmail.test>\r\nDATA\r\nSubject: cut\r\n\r\nx\r\n")
			for r := bufio.NewReader(c); ; {
				if l, err := r.ReadString('\n'); err != nil || strings.HasPrefix(l, "354 ") {
					break
				}
			}
			c.(*net.TCPConn).SetLinger(0)
		case 2:
			fmt.Fprint(c, "RCPT TO:<me@qmail.test>\r\nDATA\r\nQUIT\r\n")
			var got strings.Builder
			for b := make([]byte, 4096); ; {
				n, err := c.Read(b)
				got.Write(b[:n])
				if err != nil {
					break
				}
			}
			want := "220 qmail.test ESMTP\r\n503 MAIL first (#5.5.1)\r\n503 MAIL first (#5.5.1)\r\n221 qmail.test\r\n"
			if got.String() != want {
				t.Errorf("client %d hears %q", i, got.String())
			}
		}
		c.Close()
	}
	smtpSend(t, "127.0.0.1:25", "a@b.test", "me@qmail.test", "Subject: whole\r\n\r\nx\r\n")
	if m := q.waitMessages("me", 1)[0]; strings.Contains(m, "left@over.test") {
		t.Errorf("got %q", m)
	}
	// The processes of those that were cut off in the middle leave nothing in the queue.
	q.waitEmpty()
	if n := len(q.messages("me")); n != 1 {
		t.Errorf("%d messages", n)
	}
	stop()
	q.stop()
}
