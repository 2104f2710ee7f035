//go:build linux

package peers

import (
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// postfix starts Postfix on a machine.
func (q *qmail) postfix() {
	q.t.Helper()
	q.sh("mount -t tmpfs tmpfs /var/spool; mount -t tmpfs tmpfs /var/lib/postfix; mkdir /var/spool/postfix; " +
		"chown postfix /var/lib/postfix; chmod 755 /var/spool /var/lib/postfix")
	q.install("postfix/main.cf", "/etc/postfix/main.cf")
	q.install("postfix/master.cf", "/etc/postfix/master.cf")
	q.write("/etc/postfix/access", "later@far.test 450 4.7.1 not now\nnever@far.test 550 5.7.1 never\n")
	q.must("root", "postfix", "start")
	waitPort(q.t, q.IP4+":25")
}

// two makes two machines: one.test with qmail and far.test with Postfix, and domains of both with all kinds of MX
// records.
func two(t *testing.T) (one, far *qmail) {
	network(t,
		host("one.test", "10.9.0.11", "fd09::11"), mx("one.test", "one.test", "10"),
		host("a4.one.test", "10.9.0.11"), mx("one4.test", "a4.one.test", "10"),
		host("a6.one.test", "fd09::11"), mx("one6.test", "a6.one.test", "10"),
		host("mx.far.test", "10.9.0.12", "fd09::12"), mx("far.test", "mx.far.test", "10"),
		host("mx4.far.test", "10.9.0.12"), mx("four.test", "mx4.far.test", "10"),
		host("mx6.far.test", "fd09::12"), mx("six.test", "mx6.far.test", "10"),
		host("dead.far.test", "10.9.0.66"), mx("both.test", "dead.far.test", "10"),
		mx("both.test", "mx4.far.test", "20"),
		host("closed.far.test", testqmail.Gateway4), mx("refuse.test", "closed.far.test", "10"),
		mx("refuse.test", "mx4.far.test", "20"),
		mx("other.test", "one.test", "10"), host("down.test", "10.9.0.67"), host("hang.test", "10.9.0.13"),
	)
	one, far = boot(t, "one.test", "11"), boot(t, "far.test", "12")
	far.postfix()
	one.configure()
	one.control("locals", "one.test\none4.test\none6.test\n", "rcpthosts", "one.test\none4.test\none6.test\n",
		"timeoutconnect", "2\n", "timeoutremote", "3\n")
	one.unanswered("10.9.0.66")
	one.unanswered("10.9.0.67")
	one.maildir("me")
	one.inetd()
	one.start()
	waitPort(t, "10.9.0.11:25")
	return one, far
}

func (q *qmail) inject(text string, recipients ...string) {
	q.t.Helper()
	q.feed("me", text, append([]string{home("bin/qmail-inject")}, recipients...)...)
}

func TestMailGoesToPostfixByDNSOverBothFamilies(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "inetd", "ip") {
		return
	}
	one, far := two(t)
	for _, c := range []struct{ to, log string }{
		{"me@four.test", `to remote me@four.test\n(?s:.*)success: 10.9.0.12_accepted_message`},
		{"me@six.test", `to remote me@six.test\n(?s:.*)success: fd09::12_accepted_message`},
		{"me@far.test", `to remote me@far.test\n(?s:.*)success: (10.9.0|fd09:).12_accepted_message`},
		{"me@refuse.test", `to remote me@refuse.test\n(?s:.*)success: 10.9.0.12_accepted_message`},
		{"me@both.test", `to remote me@both.test\n(?s:.*)success: 10.9.0.12_accepted_message`}, // after the dead one
	} {
		one.inject("Subject: to "+c.to+"\n\nhello\n", c.to)
		one.waitLog(c.log)
	}
	for i, m := range far.waitMessages("me", 5) {
		if !strings.Contains(m, "\nhello\n") || header(m, "Return-Path")[0] != "<me@one.test>" {
			t.Errorf("message %d: %q", i, m)
		}
	}
	// The host that did not answer is remembered.
	if got := one.must("qmailr", home("bin/qmail-tcpto")); !strings.Contains(got, "10.9.0.66 timed out ") {
		t.Errorf("qmail-tcpto: %q", got)
	}
	one.waitEmpty()
	one.stop()
}

func TestMailOfPostfixComesInOverBothFamilies(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "inetd", "ip") {
		return
	}
	one, far := two(t)
	send := func(to string) {
		far.feed("me", "Subject: to "+to+"\n\nhello\n", "/usr/sbin/sendmail", "-f", "me@far.test", to)
	}
	// INSTALL steps 29, 30 and 32.
	send("me@one4.test")
	m := one.waitMessages("me", 1)[0]
	if !strings.Contains(m, " (10.9.0.12)\n  by one.test with SMTP; ") || header(m, "Return-Path")[0] != "<me@far.test>" {
		t.Errorf("over IPv4: %q", m)
	}
	send("me@one6.test")
	if m := one.waitMessages("me", 2)[1]; !strings.Contains(m, " (fd09::12)\n  by one.test with SMTP; ") {
		t.Errorf("over IPv6: %q", m)
	}
	send("nobody@one.test")
	if b := far.waitMessages("me", 1)[0]; !strings.Contains(b, "<nobody@one.test>:\nNo such address. (#5.1.1)\n") ||
		header(b, "Return-Path")[0] != "<>" {
		t.Errorf("bounce: %q", b)
	}
	send("PoStMaStEr@one.test")
	one.wait("mail for postmaster", func() bool {
		out, _ := one.run("root", "", "cat", home("alias/Mailbox"))
		return strings.Contains(out, "Subject: to PoStMaStEr@one.test\n")
	})
	// A recipient that is not ours is refused, and Postfix bounces it.
	send("me@other.test")
	far.wait("Postfix's bounce", func() bool { return len(far.messages("me")) == 2 })
	one.stop()
}

func TestDeferralsAndFailuresOfARemoteHostAreWhatTheyAre(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "inetd", "ip") {
		return
	}
	one, far := two(t)
	one.inject("Subject: x\n\nhello\n", "never@far.test")
	one.waitLog(`failure: .*does_not_like_recipient./Remote_host_said:_550_5.7.1_.*never`)
	b := one.waitMessages("me", 1)[0]
	if !strings.Contains(b, "<never@far.test>:\n") ||
		!strings.Contains(b, "does not like recipient.\nRemote host said: 550 5.7.1 ") ||
		!strings.Contains(b, "\nhello\n") {
		t.Errorf("bounce: %q", b)
	}
	// One recipient of three waits, one fails: each gets what it is due.
	far.must("root", "useradd", "-M", "-d", testqmail.HomeOf("orcjoe"), "-o", "-u", "7810", "later")
	one.inject("Subject: three\n\nhello\n", "later@far.test", "me@far.test", "nosuch@far.test")
	one.waitLog(`deferral: .*Remote_host_said:_450_4.7.1_.*not_now`)
	far.waitMessages("me", 1)
	if b := one.queued(); len(b) != 1 {
		t.Errorf("in the queue: %q", b)
	}
	far.write("/etc/postfix/access", "")
	far.must("root", "postfix", "reload")
	one.wait("the deferred one", func() bool {
		one.signal("ALRM")
		return poll.Within(time.Second/2, func() bool { return len(one.queued()) == 0 })
	})
	bounces := one.waitMessages("me", 2)
	if !strings.Contains(bounces[1], "<nosuch@far.test>:\n") || strings.Contains(bounces[1], "<later@far.test>") {
		t.Errorf("bounce: %q", bounces[1])
	}
	one.stop()
}

func TestHostThatIsDownOrHangsIsADeferralInTime(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "inetd", "ip") {
		return
	}
	one, _ := two(t)
	here(t).sh("ip addr add 10.9.0.13/24 dev wire")
	l, err := net.Listen("tcp", "10.9.0.13:25")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// The limits of this machine are some seconds, those of one without control files a minute and twenty.
	const limit = 50 * time.Second
	began := time.Now()
	one.inject("Subject: x\n\nhello\n", "me@down.test")
	one.waitLog(`deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._\(?_?#4.4.1`)
	if d := time.Since(began); d > limit {
		t.Errorf("given up after %v", d)
	}
	if got := one.must("qmailr", home("bin/qmail-tcpto")); !strings.Contains(got, "10.9.0.67 timed out ") {
		t.Errorf("qmail-tcpto: %q", got)
	}
	one.must("root", home("bin/qmail-tcpok"))
	if got := one.must("qmailr", home("bin/qmail-tcpto")); strings.Contains(got, "timed out") {
		t.Errorf("qmail-tcpto after qmail-tcpok: %q", got)
	}
	began = time.Now()
	one.inject("Subject: x\n\nhello\n", "me@hang.test")
	one.waitLog(`deferral: Connected_to_10.9.0.13_but_connection_died`)
	if d := time.Since(began); d > limit {
		t.Errorf("given up after %v", d)
	}
	one.wait("two messages in the queue", func() bool { return len(one.queued()) == 2 })
	one.stop()
}
