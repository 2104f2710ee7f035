//go:build linux

package peers

import (
	"fmt"
	"strings"
	"testing"
)

func TestClientsOfManyMakesReadOurPOP3ByTLS(t *testing.T) {
	if !inside(t, "fetchmail", "mpop", "curl", "s-nail", "openssl", "tcpserver", "setpriv") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	q.start()
	q.write("/run/pair", authority(q)("qmail.test"))
	q.sh("cp /run/ca/root.pem /run/root.pem; chmod 644 /run/root.pem; echo 127.0.0.1 qmail.test >>/etc/hosts; " +
		home("bin/config-tls") + " qmail.test /run/pair /run/pair")
	check := "/run/checkpassword"
	q.install("checkpassword", check)
	q.sh("chmod 755 " + check)
	popup := []string{home("bin/qmail-popup"), "qmail.test", check, home("bin/qmail-pop3d"), "Maildir"}
	serve := func(port string, options ...string) {
		args := append([]string{"tcpserver", "-RHl0", "0", port, home("bin/qmail-tlsfront")}, options...)
		q.daemon("root", append(args, popup...)...)
		waitPort(t, "127.0.0.1:"+port)
	}
	serve("995")
	serve("110", "-n")
	const body = "Subject: pop\n\n.dot\ngr\xfc\xdfe\n"
	for range 3 {
		q.inject(body, "me@qmail.test")
	}
	q.waitMessages("me", 3)
	q.nextSecond() // a message of this one is not shown yet

	starttls := "printf 'CAPA\\r\\nQUIT\\r\\n' | openssl s_client -quiet -CAfile /run/root.pem -verify_return_error "
	for command, want := range map[string]string{
		starttls + "-connect qmail.test:995 2>&1":                                       "SASL PLAIN",
		starttls + "-tls1_2 -starttls pop3 -connect qmail.test:110 2>&1":                "SASL PLAIN",
		starttls + "-tls1_3 -starttls pop3 -connect qmail.test:110 2>&1":                "SASL PLAIN",
		"curl -sS --cacert /run/root.pem pop3s://me:secret@qmail.test/1":                "Subject: pop",
		"curl -sSv --cacert /run/root.pem --ssl-reqd pop3://me:secret@qmail.test/ 2>&1": "AUTH PLAIN",
		"s-nail -n -S v15-compat -S tls-ca-file=/run/root.pem -S tls-verify=strict -S pop3-no-apop -H " +
			"-f pop3s://me:secret@qmail.test 2>&1 </dev/null": "pop",
	} {
		if out, err := q.run("orcjoe", "", "timeout", "60", "sh", "-c", command); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", command, err, tail(out))
		}
	}
	// fetchmail by STLS leaves all there, mpop takes one form after the other.
	q.write("/run/fetchmailrc", "poll qmail.test protocol pop3 port 110 user \"me\" password \"secret\" "+
		"mda \"/bin/sh -c 'cat >/run/home/orcjoe/got.$$'\" sslproto \"TLS1.2+\" sslcertck sslcertfile /run/root.pem\n")
	q.sh("chown orcjoe /run/fetchmailrc; chmod 600 /run/fetchmailrc")
	out, err := q.run("orcjoe", "", "fetchmail", "-v", "-f", "/run/fetchmailrc", "--keep",
		"--idfile", "/run/home/orcjoe/ids")
	if n := strings.TrimSpace(q.sh("ls /run/home/orcjoe | grep -c got || true")); err != nil || n != "3" ||
		!strings.Contains(out, "STLS") {
		t.Errorf("fetchmail: %v, %s messages\n%s", err, n, tail(out))
	}
	for i, form := range []string{
		"port 995\ntls_starttls off\nkeep on", "port 110\ntls_starttls on\nonly_new off\nkeep off",
	} {
		q.own("orcjoe", ".mpoprc", "account default\nhost qmail.test\nuser me\npassword secret\nauth plain\ntls on\n"+
			"tls_trust_file /run/root.pem\nuidls_file /run/home/orcjoe/uidls\n"+
			"delivery maildir /run/home/orcjoe/Maildir\n"+form+"\n")
		out := q.must("orcjoe", "mpop")
		if n := len(q.messages("orcjoe")); n != 3*(i+1) {
			t.Errorf("mpop, %q: %d messages\n%s", form, n, tail(out))
		}
	}
	if left := len(q.messages("me")); left != 0 {
		t.Errorf("%d messages are left", left)
	}
	q.stop()
}

func TestAForeignServerAndOursAreBehindTheFrontFromTheStart(t *testing.T) {
	if !inside(t, "busybox", "curl", "tcpserver", "openssl") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.start()
	q.sh(home("bin/config-tls") + " qmail.test; mkdir -p /run/web; head -c 3000000 /dev/urandom >/run/web/file; " +
		"chmod 755 /run/web")
	serve := func(port string, program ...string) {
		args := append([]string{"tcpserver", "-RHl0", "127.0.0.1", port, home("bin/qmail-tlsfront")}, program...)
		q.daemon("root", args...)
		waitPort(t, "127.0.0.1:"+port)
	}
	serve("443", "busybox", "httpd", "-i", "-h", "/run/web")
	q.sh("curl -sSk https://127.0.0.1/file -o /run/got && cmp /run/got /run/web/file")
	serve("6628", "setpriv", "--reuid=qmaild", "--regid=nofiles", "--clear-groups", home("bin/qmail-qmqpd"))
	const message, from, to = "Subject: x\n\nhello\n", "a@far.test", "me@qmail.test"
	inner := fmt.Sprintf("%d:%s,%d:%s,%d:%s,", len(message), message, len(from), from, len(to), to)
	out := q.feed("root", fmt.Sprintf("%d:%s,", len(inner), inner),
		"openssl", "s_client", "-quiet", "-connect", "127.0.0.1:6628")
	if !strings.Contains(out, ":Kok ") {
		t.Errorf("%q", out)
	}
	if all := strings.Join(q.waitMessages("me", 1), ""); !strings.Contains(all, "with QMQPS (TLS") {
		t.Errorf("%q", all)
	}
	q.stop()
}
