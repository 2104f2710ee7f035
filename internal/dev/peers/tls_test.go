//go:build linux

package peers

import (
	"strings"
	"testing"
)

// authority makes one on this machine that is trusted by it, and returns how a name gets a key and a certificate, both
// in one PEM.
func authority(q *qmail) (issue func(name string) string) {
	q.sh(`mkdir -p /run/ca && cd /run/ca && exec 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=root -days 30 \
	-keyout root.key -out root.pem
mkdir -p /etc/ssl/certs && cp root.pem /etc/ssl/certs/ca-certificates.crt`)
	return func(name string) string {
		q.sh(`cd /run/ca && exec 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=` + name + ` -keyout key -out req
printf 'subjectAltName=DNS:` + name + `\n' >ext
openssl x509 -req -in req -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile ext -out cert
cat key cert >pair`)
		return q.sh("cat /run/ca/pair")
	}
}

func TestMailGoesToPostfixByTLSAsPolicyAndMTASTSSay(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "ip", "openssl") {
		return
	}
	network(t,
		host("one.test", "10.9.0.11"), host("mx.far.test", "10.9.0.12"), mx("far.test", "mx.far.test", "10"),
		host("mta-sts.far.test", "10.9.0.12"), "--txt-record=_mta-sts.far.test,v=STSv1; id=1;",
		mx("four.test", "mx.far.test", "10"), mx("six.test", "mx.far.test", "10"),
	)
	one, far := boot(t, "one.test", "11"), boot(t, "far.test", "12")
	issue := authority(one)
	far.write("/etc/tls.pem", issue("mx.far.test"))
	far.postfix()
	far.sh("postconf -e smtpd_tls_chain_files=/etc/tls.pem smtpd_tls_security_level=may smtpd_tls_received_header=yes")
	far.must("root", "postfix", "reload")
	one.configure()
	one.control("tlsroutes", "four.test:verify\nsix.test:verify:else.test\n")
	one.start()

	one.inject("Subject: one\n\nhello\n", "me@four.test")
	one.waitLog(`success: 10.9.0.12_accepted_message._?/.*/tls=TLSv1.3_cipher=[A-Z0-9_]*_policy=verify/`)
	one.inject("Subject: two\n\nhello\n", "me@six.test")
	one.waitLog(`deferral: Connected_to_10.9.0.12_but_TLS_failed_.mx.far.test,_policy_verify.:_its_certificate_is_for`)
	one.inject("Subject: three\n\nhello\n", "me@far.test") // its policy cannot be had
	one.waitLog(`success: 10.9.0.12_accepted_message._?/.*/tls=TLSv1.3_cipher=[A-Z0-9_]*_policy=may/`)
	for i, m := range far.waitMessages("me", 2) {
		if !strings.Contains(m, "using TLSv1.3") {
			t.Errorf("message %d came without TLS: %q", i, m)
		}
	}

	policy := func(mx string) {
		far.sh(`mkdir -p /run/web/.well-known && printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n` +
			`version: STSv1\r\nmode: enforce\r\nmx: ` + mx + `\r\nmax_age: 86400\r\n' >/run/web/.well-known/mta-sts.txt`)
		one.sh("rm -f " + home("queue/lock/mtasts/*"))
	}
	far.write("/run/web.pem", issue("mta-sts.far.test"))
	policy("mx.far.test")
	far.daemon("root", "sh", "-c", "cd /run/web && exec openssl s_server -quiet -accept 443 -cert /run/web.pem -HTTP")
	waitPort(t, "10.9.0.12:443")
	one.stop()
	one.start()
	one.inject("Subject: four\n\nhello\n", "me@far.test")
	one.waitLog(`success: 10.9.0.12_accepted_message._?/.*/tls=TLSv1.3_cipher=[A-Z0-9_]*_policy=mta-sts/`)
	if got := one.sh("stat -c %U " + home("queue/lock/mtasts/far.test")); !strings.HasPrefix(got, "qmailr") {
		t.Errorf("the policy is %s's", got)
	}
	policy("elsewhere.far.test")
	one.stop()
	one.start()
	one.inject("Subject: five\n\nhello\n", "me@far.test")
	one.waitLog(`deferral: Sorry,_mx.far.test_is_none_of_the_hosts_that_the_MTA-STS_policy_of_far.test_allows`)
}
