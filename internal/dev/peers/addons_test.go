//go:build linux

package peers

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// own writes a file of a user's home.
func (q *qmail) own(user, name, text string) {
	q.t.Helper()
	path := testqmail.HomeOf(user) + "/" + name
	q.write(path, text)
	q.sh("chown " + user + ": " + path + "; chmod 600 " + path)
}

func TestDeliveryAgentsWorkFromDotQmailLines(t *testing.T) {
	if !inside(t, "procmail", "maildrop", "maildir-filter", "dot-forward") {
		return
	}
	q := here(t)
	q.configure()
	q.debianHome()
	q.maildir("me", "orcjoe", "orcsam", "orcann")
	q.start()

	q.own("orcjoe", ".qmail", "|preline procmail\n")
	q.own("orcjoe", ".procmailrc", ":0\n* ^Subject: junk\n/dev/null\n:0:\n* ^Subject: box\nbox\n:0\n* ^Subject: bad\n"+
		"{\n EXITCODE=100\n HOST\n}\n:0\nMaildir/\n")
	for _, subject := range []string{"junk", "box", "good"} {
		q.inject("Subject: "+subject+"\n\nby procmail\n", "orcjoe@qmail.test")
	}
	if m := q.waitMessages("orcjoe", 1)[0]; !strings.Contains(m, "Subject: good\n") ||
		!strings.Contains(m, "\nDelivered-To: orcjoe@qmail.test\n") {
		t.Errorf("procmail: %q", m)
	}
	q.waitEmpty()
	if box := q.sh("cat /run/home/orcjoe/box"); !strings.HasPrefix(box, "From me@qmail.test ") ||
		!strings.Contains(box, "Subject: box\n") || strings.Contains(box, "junk") {
		t.Errorf("procmail's mbox: %q", box)
	}
	q.inject("Subject: bad\n\nby procmail\n", "orcjoe@qmail.test")
	if b := q.waitMessages("me", 1)[0]; !strings.Contains(b, "<orcjoe@qmail.test>:\n") {
		t.Errorf("a failure of procmail's: %q", b)
	}

	q.own("orcsam", ".qmail", "|maildrop\n")
	q.own("orcsam", ".mailfilter", "DEFAULT=\"$HOME/Maildir\"\nif (/^Subject: bounce/)\n{\n  EXITCODE=77\n  exit\n}\n"+
		"if (/^Subject: later/)\n{\n  EXITCODE=75\n  exit\n}\n")
	for _, subject := range []string{"good", "bounce", "later"} {
		q.inject("Subject: "+subject+"\n\nby maildrop\n", "orcsam@qmail.test")
	}
	if m := q.waitMessages("orcsam", 1)[0]; !strings.Contains(m, "Subject: good\n") {
		t.Errorf("maildrop: %q", m)
	}
	if b := q.waitMessages("me", 2)[1]; !strings.Contains(b, "<orcsam@qmail.test>:\n") ||
		!strings.Contains(b, "Subject: bounce\n") {
		t.Errorf("a failure of maildrop's: %q", b)
	}
	q.wait("one deferred message", func() bool { return len(q.queued()) == 1 })
	q.own("orcsam", ".mailfilter", "DEFAULT=\"$HOME/Maildir\"\n")
	q.signal("ALRM")
	q.waitMessages("orcsam", 2)

	q.own("orcann", ".qmail", "|maildir-filter -i -H -r '^Subject: .*casino' -b\n"+
		"|maildir-filter -H -r '^Subject: work' -d ./Maildir/.work\n./Maildir/\n")
	q.must("orcann", home("bin/maildirmake"), "/run/home/orcann/Maildir/.work")
	for _, subject := range []string{"work", "play", "Big CASINO"} {
		q.inject("Subject: "+subject+"\n\nby maildir-filter\n", "orcann@qmail.test")
	}
	q.waitEmpty()
	if m := q.waitMessages("orcann", 1)[0]; !strings.Contains(m, "Subject: play\n") {
		t.Errorf("maildir-filter: %q", m)
	}
	if m := q.sh("cat /run/home/orcann/Maildir/.work/new/*"); !strings.Contains(m, "Subject: work\n") {
		t.Errorf("maildir-filter's folder: %q", m)
	}
	q.waitMessages("me", 3)

	q.own("orcsam", ".qmail", "|dot-forward .forward\n./Maildir/\n")
	q.own("orcsam", ".forward", "orcann, \\orcsam\n")
	q.inject("Subject: forwarded\n\nby dot-forward\n", "orcsam@qmail.test")
	if m := q.waitMessages("orcann", 2)[1]; !strings.Contains(m, "Subject: forwarded\n") ||
		len(header(m, "Delivered-To")) != 2 {
		t.Errorf("dot-forward: %q", m)
	}
	q.waitEmpty()
	q.stop()
}

// debianHome gives Debian's packages of qmail's friends the qmail that they look for.
func (q *qmail) debianHome() {
	q.t.Helper()
	q.sh("mount -t tmpfs tmpfs /var/lib/qmail && ln -s " + home("bin") + " " + home("control") + " /var/lib/qmail/")
}

func TestFastforwardReadsEtcAliases(t *testing.T) {
	if !inside(t, "fastforward", "qmail-newaliases", "printforward") {
		return
	}
	q := here(t)
	q.configure()
	q.debianHome()
	q.maildir("me", "orcjoe")
	q.write("/etc/aliases", "postmaster: me\nstaff: me, orcjoe\nowner-staff: orcjoe\nrobot: |\"cat >>/run/robot\"\n")
	q.must("root", "qmail-newaliases")
	q.write(home("alias/.qmail-default"), "|fastforward -p /etc/aliases.cdb\n|exit 100\n")
	q.start()
	q.inject("Subject: to all\n\nx\n", "staff@qmail.test")
	if m := q.waitMessages("me", 1)[0]; !strings.Contains(m, "Subject: to all\n") {
		t.Errorf("alias: %q", m)
	}
	if m := q.waitMessages("orcjoe", 1)[0]; header(m, "Return-Path")[0] != "<owner-staff@qmail.test>" &&
		header(m, "Return-Path")[0] != "<me@qmail.test>" {
		t.Errorf("alias: %q", m)
	}
	q.inject("Subject: nobody\n\nx\n", "nobody@qmail.test")
	q.waitMessages("me", 2) // a bounce
	q.waitEmpty()
	q.stop()
}

func TestProcmailIsTheDefaultDeliveryOfBootProc(t *testing.T) {
	if !inside(t, "procmail") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("orcjoe")
	q.own("orcjoe", ".procmailrc", "MAILDIR=$HOME\nDEFAULT=$HOME/Maildir/\n")
	q.write(home("rc"), strings.Replace(q.read(home("boot/proc")), "splogger qmail", "", 1))
	q.sh("chmod 755 " + home("rc"))
	q.start()
	q.stop()
	cmd := q.Command("root", home("rc"))
	cmd.Stdout, cmd.Stderr = q, q
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	q.send = cmd
	q.inject("Subject: default\n\nx\n", "orcjoe@qmail.test")
	q.waitMessages("orcjoe", 1)
	q.waitEmpty()
	q.stop()
}

func TestDaemontoolsRunQmailAndMultilogKeepsTheLog(t *testing.T) {
	if !inside(t, "svscan", "multilog", "svc", "tai64nlocal") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.sh("mkdir -p /run/service/qmail/log /run/log; chown qmaill /run/log")
	q.write("/run/service/qmail/run", "#!/bin/sh\nexec env - PATH=\""+home("bin")+":$PATH\" qmail-start ./Maildir/\n")
	q.write("/run/service/qmail/log/run", "#!/bin/sh\nexec setuidgid qmaill multilog t s1000000 /run/log\n")
	q.sh("chmod 755 /run/service/qmail/run /run/service/qmail/log/run")
	_, stop := q.daemon("root", "svscan", "/run/service")
	log := func() string { s, _ := q.run("root", "", "cat", "/run/log/current"); return s }
	q.wait("qmail under svscan", func() bool { return strings.Contains(log(), "status: local 0/10 remote 0/20") })
	q.inject("Subject: x\n\nx\n", "me@qmail.test", "nobody@qmail.test")
	q.waitMessages("me", 2)
	q.wait("the end of both messages", func() bool { return strings.Count(log(), "end msg") == 2 })
	line := regexp.MustCompile(
		`^@[0-9a-f]{24} (status: |new msg |info msg |starting delivery |delivery |bounce msg |end msg )`)
	for _, l := range strings.Split(strings.TrimSuffix(log(), "\n"), "\n") {
		if !line.MatchString(l) {
			t.Errorf("log line %q", l)
		}
	}
	told := q.must("root", home("bin/qmail-log"), "-m", "/run/log/current")
	for _, want := range []string{"me@qmail.test", "nobody@qmail.test"} {
		if !strings.Contains(told, want) {
			t.Errorf("qmail-log does not tell of %s:\n%s", want, told)
		}
	}
	// svc -d ends it cleanly, svc -u starts it again, and a killed qmail-send comes back by itself.
	q.must("root", "svc", "-d", "/run/service/qmail")
	q.wait("the end", func() bool { return strings.Contains(log(), "status: exiting") && len(q.processes()) == 0 })
	q.must("root", "svc", "-u", "/run/service/qmail")
	q.wait("the start", q.daemonsRun)
	first := q.sendPid()
	q.sh(fmt.Sprintf("kill -KILL %d", first))
	q.wait("another qmail-send", func() bool { return q.daemonsRun() && q.sendPid() != first })
	q.inject("Subject: x\n\nx\n", "me@qmail.test")
	q.waitMessages("me", 3)
	q.must("root", "svc", "-dx", "/run/service/qmail", "/run/service/qmail/log")
	stop()
}

// An imap is a connection to an IMAP server.
type imap struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
	n int
}

// do sends a command and returns the lines up to its completion.
func (i *imap) do(command string) []string {
	i.t.Helper()
	i.n++
	tag := fmt.Sprintf("t%d ", i.n)
	fmt.Fprintf(i.c, "%s%s\r\n", tag, command)
	var lines []string
	for {
		l, err := i.r.ReadString('\n')
		if err != nil {
			i.t.Fatalf("%s: %v", command, err)
		}
		lines = append(lines, strings.TrimRight(l, "\r\n"))
		if rest, ok := strings.CutPrefix(l, tag); ok {
			if !strings.HasPrefix(rest, "OK") {
				i.t.Fatalf("%s: %s", command, rest)
			}
			return lines
		}
	}
}

func TestDovecotReadsMaildirsWhileWeDeliver(t *testing.T) {
	if !inside(t, "dovecot", "doveadm") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.start()
	q.install("dovecot.conf", "/run/dovecot.conf")
	q.sh("mkdir -p /run/dovecot /run/dovecot-state")
	q.daemon("root", "dovecot", "-F", "-c", "/run/dovecot.conf")
	waitPort(t, "127.0.0.1:143")
	c, err := net.Dial("tcp", "127.0.0.1:143")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	i := &imap{t: t, c: c, r: bufio.NewReader(c)}
	i.r.ReadString('\n')
	i.do("login me secret")
	i.do("select inbox")

	const messages = 120
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() {
			for n := range messages / 4 {
				out, err := q.run("orcjoe", fmt.Sprintf("Number: %d.%d\n\nx\n", w, n), home("bin/qmail-inject"),
					"me@qmail.test")
				if err != nil {
					t.Errorf("%v %s", err, out)
				}
			}
		})
	}
	// While mail comes in, the reader looks, marks, copies and removes.
	seen := map[string]bool{}
	look := func() {
		for _, l := range i.do("uid fetch 1:* (flags body.peek[header.fields (number)])") {
			if n, ok := strings.CutPrefix(l, "Number: "); ok {
				seen[n] = true
			}
		}
	}
	if len(i.do("list \"\" *")) == 0 {
		t.Error("no folders")
	}
	i.do("create kept")
	tick := time.Tick(50 * time.Millisecond)
	for range 10 {
		<-tick
		i.do("noop")
		look()
		if len(seen) > 0 {
			i.do(`store 1 +flags (\seen)`)
			i.do("copy 1 kept")
		}
	}
	load.Wait()
	q.waitEmpty()
	q.wait("Dovecot sees all messages", func() bool { i.do("noop"); look(); return len(seen) == messages })
	i.do(`store 1:* +flags (\deleted)`)
	i.do("expunge")
	i.do("noop")
	if n := len(q.messages("me")); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	i.do("logout")
	errors := q.sh("grep -i -e error -e panic -e warning /run/dovecot.log || true")
	if strings.Contains(strings.ToLower(errors), "maildir") {
		t.Errorf("Dovecot's log: %s", errors)
	}
	q.stop()
}

func TestTinycdbAndWeReadEachOthersDatabases(t *testing.T) {
	if !inside(t, "cdb", "swaks") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	cdb := home("users/cdb")
	// Ours, read by tinycdb, written by tinycdb, read by us.
	q.write(home("users/assign"),
		"=virtual:orcjoe:7810:7810:/run/home/orcjoe:::\n+list-:me:7817:7817:/run/home/me:-:x-:\n.\n")
	q.must("root", home("bin/qmail-newu"))
	dump := q.must("root", "cdb", "-d", cdb)
	if !strings.Contains(dump, "->orcjoe\x007810\x007810\x00/run/home/orcjoe\x00\x00\n") {
		t.Errorf("cdb -d: %q", dump)
	}
	if got := q.must("root", "cdb", "-q", cdb, "!list-"); !strings.HasPrefix(got, "me\x007817\x00") {
		t.Errorf("cdb -q: %q", got)
	}
	ours := q.sh("sha256sum <" + cdb)
	q.feed("root", dump, "cdb", "-c", cdb)
	if theirs := q.sh("sha256sum <" + cdb); ours != theirs {
		t.Error("tinycdb makes another file of the same records")
	}
	q.own("me", ".qmail-x-any", "./Maildir/\n")
	q.start()
	q.inject("Subject: a\n\nx\n", "virtual@qmail.test")
	q.waitMessages("orcjoe", 1)
	q.inject("Subject: b\n\nx\n", "list-any@qmail.test")
	q.waitMessages("me", 1)

	q.control("morercpthosts", "More.test\n.sub.test\n")
	q.must("root", home("bin/qmail-newmrh"))
	more := home("control/morercpthosts.cdb")
	dump = q.must("root", "cdb", "-d", more)
	if !strings.Contains(dump, "more.test->") {
		t.Errorf("cdb -d: %q", dump)
	}
	q.sh("rm " + more)
	q.feed("root", dump, "cdb", "-c", more)
	q.sh("chmod 644 " + more)
	defer q.serve("socket")()
	for to, code := range map[string]string{"x@more.test": "250", "x@MORE.TEST": "250", "x@a.sub.test": "250",
		"x@sub.test": "553", "x@far.test": "553"} {
		out, _ := q.run("root", "", "swaks", "--server", "127.0.0.1", "--from", "a@b.test", "--to", to, "--quit-after",
			"RCPT")
		if !regexp.MustCompile(`(?m)-> RCPT TO.*\n<(\*\*|-)\s+` + code).MatchString(out) {
			t.Errorf("%s: %s", to, out)
		}
	}
	q.stop()
}
