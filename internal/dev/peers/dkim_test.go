//go:build linux

package peers

import (
	"fmt"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// key has qmail-dkimkey make a key, and returns the name of its record and the strings in it.
func (q *qmail) key(args ...string) (name string, texts []string) {
	q.t.Helper()
	args = append([]string{home("bin/qmail-dkimkey")}, args...)
	out := q.must("root", args...)
	record, _, ok := strings.Cut(out, " )\n")
	name, value, in := strings.Cut(record, ". IN TXT ( ")
	if !ok || !in || q.must("root", args...) != "; The key was there already.\n"+out {
		q.t.Fatalf("qmail-dkimkey says %q", out)
	}
	for s := range strings.SplitSeq(value, " \"") {
		if s = strings.Trim(s, `"`); len(s) > 255 {
			q.t.Errorf("a string of %d bytes", len(s))
		}
		texts = append(texts, strings.Trim(s, `"`))
	}
	return name, texts
}

// signing boots two machines: one.test, whose mail is signed, and far.test, which has Postfix.
func signing(t *testing.T) (one, far *qmail) {
	t.Helper()
	if err := testqmail.Wire(); err != nil {
		t.Fatal(err)
	}
	one, far = boot(t, "one.test", "11"), boot(t, "far.test", "12")
	names := []string{
		host("one.test", "10.9.0.11"), mx("one.test", "one.test", "10"),
		host("mx.far.test", "10.9.0.12"), mx("far.test", "mx.far.test", "10"),
	}
	records := ""
	for _, args := range [][]string{{"one.test", "r1"}, {"-e", "one.test", "e1"}} {
		name, texts := one.key(args...)
		names = append(names, "--txt-record="+name+`,"`+strings.Join(texts, `","`)+`"`)
		records += name + "=" + strings.Join(texts, "") + "\n"
	}
	serveNames(t, names...)
	far.write("/run/records", records)
	far.postfix()
	far.install("verify.py", "/run/verify.py")
	far.install("verify.pl", "/run/verify.pl")
	one.configure()
	one.control("dkimdomains", "one.test:r1,e1\n")
	return one, far
}

// good returns what dkimpy and Mail::DKIM say of the signatures of a message that has come: how many are good, of how
// many. The second asks the DNS, and knows no Ed25519.
func (q *qmail) good(message string) (python, perl string) {
	q.t.Helper()
	python, _ = q.run("root", message, "/usr/bin/python3", "/run/verify.py")
	perl, _ = q.run("root", message, "/usr/bin/perl", "/run/verify.pl")
	return python, perl
}

// smtp gives qmail-smtpd a message, as a client that may relay or may not.
func (q *qmail) smtp(relay bool, to, message string) {
	q.t.Helper()
	env := []string{"/usr/bin/env", "TCPREMOTEIP=10.9.0.9", "TCPLOCALIP=10.9.0.11"}
	if relay {
		env = append(env, "RELAYCLIENT=")
	}
	out := q.feed("qmaild", "EHLO x\r\nMAIL FROM:<me@one.test>\r\nRCPT TO:<"+to+">\r\nDATA\r\n"+
		strings.ReplaceAll(message, "\n", "\r\n")+".\r\nQUIT\r\n", append(env, home("bin/qmail-smtpd"))...)
	if !strings.Contains(out, "250 ok ") || !strings.Contains(out, " qp ") {
		q.t.Fatal(out)
	}
}

func TestWhatWeSignVerifiesElsewhereAndWhatIsNotOursIsNotSigned(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "ip", "/usr/bin/python3", "/usr/bin/perl") {
		return
	}
	one, far := signing(t)
	one.maildir("me")
	one.write(testqmail.HomeOf("me")+"/.qmail-away", "&me@far.test\n")
	one.start()

	bodies := []string{
		"hello\n", "", "\n\n\n", "8 bits \xe9\xff\n", strings.Repeat("long ", 1000) + "\n", ".\n..\n.x\n",
		"a \t \n\n b\t\n \n",
		"a CR\rin it\r\n", strings.Repeat("many lines\n", 20000),
	}
	for i, b := range bodies {
		text := fmt.Sprintf("Subject: %d caf\xc3\xa9 \xe9\n\t folded  twice\n   so\nX-Empty:\nReply-To: me@one.test\n\n", i)
		one.inject(text+b, "me@far.test", "postmaster@far.test")
	}
	one.smtp(true, "me@far.test", "From: Me <me@one.test>\nSubject: relayed\n\nhello\n")
	signed := len(bodies) + 1
	for i, m := range far.waitMessages("me", signed) {
		python, perl := far.good(m)
		if !strings.HasSuffix(python, "2 2\n") || !strings.HasSuffix(perl, "1 2\n") {
			t.Errorf("message %d: dkimpy says %s, Mail::DKIM %s of %.3000q", i, python, perl, m)
		}
	}
	// Nothing of the message is anybody else's but its own if one byte is another.
	m := far.waitMessages("me", signed)[0]
	if python, perl := far.good(strings.Replace(m, "Subject: ", "Subject: x", 1)); !strings.HasSuffix(python, "0 2\n") ||
		!strings.HasSuffix(perl, "0 2\n") {
		t.Errorf("what was changed is good: %s, %s", python, perl)
	}

	one.smtp(false, "me-away@one.test", "From: Me <me@one.test>\nSubject: a stranger's\n\nhello\n")
	one.inject("From: me@other.test\nSubject: another domain\n\nhello\n", "me@far.test")
	one.inject("From: me@one.test\nDelivered-To: x\nSubject: forwarded\n\nhello\n", "me@far.test")
	for _, m := range far.waitMessages("me", signed+3) {
		subject := header(m, "Subject")[0]
		if n := len(header(m, "DKIM-Signature")); (n > 0) == (subject == "a stranger's" || subject == "another domain" ||
			subject == "forwarded") {
			t.Errorf("%q has %d signatures", subject, n)
		}
	}
	one.stop()
}

func TestMailThatCannotBeSignedWaitsUntilItCan(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "ip") {
		return
	}
	one, far := signing(t)
	one.start()
	program := home("bin/qmail-dksign")
	one.sh("mv " + program + " " + program + ".away")
	one.sh("printf '#!/bin/sh\\nkill -9 $$\\n' >" + program + "; chmod 755 " + program)
	one.inject("Subject: one\n\nhello\n", "me@far.test")
	one.waitLog(`deferral: Unable_to_sign_the_message:_qmail-dksign_crashed`)
	one.sh("rm " + program)
	one.signal("ALRM")
	one.waitLog(`deferral: Unable_to_sign_the_message:_Unable_to_run_qmail-dksign`)
	one.sh("mv " + program + ".away " + program + "; mv " + home("keys/dkim/one.test/e1.pem") + " /run/e1.pem")
	one.signal("ALRM")
	one.waitLog(`deferral: Unable_to_sign_the_message:_no_such_key`)
	one.sh("mv " + home("bin/qmail-key") + " " + home("bin/key"))
	one.sh("mv /run/e1.pem " + home("keys/dkim/one.test/e1.pem") + "; mv " + home("bin/key") + " " + home("bin/qmail-key"))
	one.signal("ALRM")
	for _, m := range far.waitMessages("me", 1) {
		if len(header(m, "DKIM-Signature")) != 2 {
			t.Errorf("%q", m)
		}
	}
	if strings.Contains(one.text(), "failure:") {
		t.Error(one.text())
	}
	one.stop()
}
