//go:build linux

package peers

import (
	"net"
	"strings"
	"testing"

	"qmail/internal/dev/testserver"
)

// dovecot starts Dovecot, which only says who may log in: users are names with their passwords.
func (q *qmail) dovecot(users ...string) {
	q.t.Helper()
	q.install("dovecot-auth.conf", "/run/dovecot.conf")
	q.sh("mkdir -p /run/dovecot /run/dovecot-state; : >/run/dovecot.passwd; chmod 644 /run/dovecot.passwd")
	for i := 0; i < len(users); i += 2 {
		q.sh("{ printf '" + users[i] + ":'; doveadm -c /run/dovecot.conf pw -s SCRAM-SHA-256 -p '" + users[i+1] +
			"'; } >>/run/dovecot.passwd")
	}
	q.daemon("root", "dovecot", "-F", "-c", "/run/dovecot.conf")
	q.wait("Dovecot", func() bool {
		_, err := q.run("root", "", "test", "-S", "/run/dovecot/auth-postfix")
		return err == nil
	})
}

// relays are Postfix's services with one mechanism each, which let only users relay, and want TLS for that.
const relays = `
10025 inet n - n - - smtpd -o smtpd_sasl_mechanism_filter=plain
10026 inet n - n - - smtpd -o smtpd_sasl_mechanism_filter=login
10027 inet n - n - - smtpd -o smtpd_sasl_mechanism_filter=scram-sha-256
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
`

func TestASmarthostWithSASLTakesOurLogins(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "ip", "openssl", "dovecot", "doveadm") {
		return
	}
	network(t, host("one.test", "10.9.0.11"), host("mx.far.test", "10.9.0.12"))
	one, far := boot(t, "one.test", "11"), boot(t, "far.test", "12")
	issue := authority(one)
	far.write("/etc/tls.pem", issue("mx.far.test"))
	far.dovecot("joe@example.com", "p w=1")
	far.postfix()
	far.sh("postconf -e smtpd_tls_chain_files=/etc/tls.pem smtpd_tls_security_level=may smtpd_tls_auth_only=yes " +
		"smtpd_sasl_auth_enable=yes smtpd_sasl_type=dovecot smtpd_sasl_path=/run/dovecot/auth-postfix " +
		"smtpd_recipient_restrictions=permit_sasl_authenticated,reject smtpd_client_restrictions=; " +
		"cat >>/etc/postfix/master.cf <<'END'\n" + relays + "END\npostfix reload")
	one.configure()
	const login = "|joe@example.com|p w=1\n"
	one.control("tlsroutes", "", "smtproutes", "four.test:mx.far.test:10025"+login+"six.test:mx.far.test:10026"+login+
		"far.test:mx.far.test:10027"+login+"both.test:mx.far.test:465"+login+
		"refuse.test:mx.far.test:10025|joe@example.com|wrong\n")
	one.start()
	for domain, method := range map[string]string{"four.test": "PLAIN", "six.test": "LOGIN", "far.test": "SCRAM-SHA-256",
		"both.test": "SCRAM-SHA-256"} {
		one.inject("Subject: x\n\nhello\n", "me@"+domain)
		one.waitLog(`to remote me@` + domain + `\n(?s:.*)success: 10.9.0.12_accepted_message._?/[^\n]*_policy=verify/`)
		one.wait("a login by "+method, func() bool {
			out, _ := far.run("root", "", "tail", "-n", "20", "/run/postfix.log")
			return strings.Contains(out, "sasl_method="+method+", sasl_username=joe@example.com")
		})
	}
	one.inject("Subject: x\n\nhello\n", "me@refuse.test")
	one.waitLog(`to remote me@refuse.test\n(?s:.*)deferral: [^\n]*535_5.7.8`)
	far.waitMessages("me", 4)
	one.stop()
}

func TestDovecotsSocketStandsInThePlaceOfQmailAuthds(t *testing.T) {
	if !inside(t, "msmtp", "swaks", "curl", "python3", "dovecot", "doveadm") {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.dovecot("joe@m.test", "secret")
	q.write("/run/send.py", python)
	q.control("authsocket", "/run/dovecot/auth-qmail\n")
	address, log := testserver.Serve(t, "qmail-submitd")
	commands := mailers(address, false, true)
	commands = append(commands, strings.Replace(commands[0], "--auth=plain", "--auth=scram-sha-256", 1))
	for _, command := range commands {
		if out, err := q.run("root", "", "/bin/sh", "-c", command); err != nil {
			t.Errorf("%s: %v\n%s\n%s", command, err, out, log)
			continue
		}
		if m := testserver.Queued(t); !strings.Contains(m, " with ESMTPSA (TLS_") || !strings.Contains(m, "(joe@m.test@") {
			t.Errorf("%s: %q", command, m)
		}
	}
	host, port, _ := net.SplitHostPort(address)
	out, err := q.run("root", "", "swaks", "--tls", "--server", host, "--port", port, "--to", "c@far.test",
		"--auth", "PLAIN", "--auth-user", "joe@m.test", "--auth-password", "wrong")
	if err == nil || !strings.Contains(out, "535 5.7.8 ") {
		t.Errorf("%v %s", err, out)
	}
}
