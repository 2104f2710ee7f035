//go:build linux

package peers

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

func TestDovecotKeepsWhatWeGiveItByLMTP(t *testing.T) {
	if !inside(t, "dovecot", "/usr/lib/dovecot/lmtp") {
		return
	}
	q := here(t)
	q.configure()
	q.control("virtualdomains", "virtual.test:orcjoe\n")
	q.write(testqmail.HomeOf("orcjoe")+"/.qmail-default", "|qmail-lmtp localhost:2424 \"$DEFAULT@$HOST\"\n")
	q.install("dovecot-lmtp.conf", "/run/dovecot.conf")
	uid, gid, _ := testqmail.Account("orcjoe")
	q.sh("mkdir -p /run/dovecot /run/dovecot-state")
	q.write("/run/dovecot.users", "ann@virtual.test::"+
		fmt.Sprint(uid)+":"+fmt.Sprint(gid)+"::"+testqmail.HomeOf("orcjoe")+"\n")
	q.start("|qmail-lmtp /run/dovecot/lmtp")
	q.inject("Subject: waits\n\n.dot\nlast", "me@"+q.name)
	q.waitLog(`deferral: qmail-lmtp:_fatal:_unable_to_connect_to_/run/dovecot/lmtp:_nobody_is_listening`)
	q.daemon("root", "dovecot", "-F", "-c", "/run/dovecot.conf")
	waitPort(t, "127.0.0.1:2424")
	q.signal("ALRM")
	m := q.waitMessages("me", 1)[0]
	if !strings.Contains(m, "\n\n.dot\nlast\n") || len(header(m, "Return-Path")) == 0 ||
		!strings.Contains(m, "Delivered-To: me@"+q.name+"\n") {
		t.Errorf("%q", m)
	}
	q.inject("Subject: large\n\n"+strings.Repeat("..\n.line\n", 200_000), "ann@virtual.test")
	if m := q.waitMessages("orcjoe", 1)[0]; strings.Count(m, "\n..\n.line") != 200_000 {
		t.Errorf("%d bytes: %.1000q", len(m), m)
	}
	q.inject("Subject: nobody\n\nx\n", "bob@virtual.test")
	q.waitLog(`failure: qmail-lmtp:_fatal:_the_server_refuses_the_recipient:_550_5.1.1_`)
	q.waitLog(`success: qmail-lmtp:_250_2.0.0_`)

	// A server that is never quite silent has its time, and no more.
	slowly(t, "127.0.0.1:2525")
	q.write(testqmail.HomeOf("me")+"/.qmail-slow", "|qmail-lmtp -t 1 127.0.0.1:2525\n")
	q.inject("Subject: slow\n\nx\n", "me-slow@"+q.name)
	q.waitLog(`deferral: qmail-lmtp:_fatal:_this_takes_too_long`)
	q.stop()
}

// slowly serves one client a byte at a time, and does not come to an end.
func slowly(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for range time.Tick(20 * time.Millisecond) {
			if _, err := c.Write([]byte{'2'}); err != nil {
				return
			}
		}
	}()
}
