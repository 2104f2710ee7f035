//go:build linux

package peers

import (
	"os"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// unpacked is where scripts/test-packages.sh puts the packages that are not installed.
const unpacked = "/usr/local/lib/qmail-peers"

// needUnpacked is testqmail.Need for a program there.
func needUnpacked(t *testing.T, program string) string {
	t.Helper()
	path := unpacked + "/" + program
	if _, err := os.Stat(path); err != nil {
		testqmail.Skip(t, "there is no "+path)
	}
	return path
}

const eximConf = `exim_path = @EXIM@
keep_environment =
primary_hostname = far.test
spool_directory = /run/exim
log_file_path = /run/exim/%slog
tls_advertise_hosts = *
tls_certificate = /etc/exim4/tls.pem
tls_privatekey = /etc/exim4/tls.pem
daemon_smtp_ports = 25
local_interfaces = 0.0.0.0
log_selector = +tls_cipher +tls_certificate_verified
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
away:
  driver = manualroute
  domains = ! far.test
  route_list = * one.test byname
  transport = smtp
here:
  driver = accept
  transport = box
begin transports
smtp:
  driver = smtp
  hosts_require_tls = *
  tls_verify_certificates = /etc/exim4/root.pem
  tls_verify_hosts = *
box:
  driver = appendfile
  file = /run/exim/box
  user = Debian-exim
`

func TestExim4AndOpenSMTPDSpeakTLSWithQmail(t *testing.T) {
	if !inside(t, "dnsmasq", "ip", "openssl", "inetd") {
		return
	}
	exim := needUnpacked(t, "exim4-daemon-light/usr/sbin/exim4")
	smtp := needUnpacked(t, "opensmtpd/usr/bin/smtp")
	network(t, host("one.test", "10.9.0.11"), host("mx.far.test", "10.9.0.12"), mx("far.test", "mx.far.test", "10"))
	one, far := boot(t, "one.test", "11"), boot(t, "far.test", "12")
	issue := authority(one)
	one.configure()
	one.maildir("me")
	one.write("/run/pair.pem", issue("one.test"))
	one.must("root", home("bin/config-tls"), "one.test", "/run/pair.pem", "/run/pair.pem")
	one.control("tlsroutes", "far.test:verify\n")
	far.sh("useradd -r -M Debian-exim; mkdir -p /etc/exim4 /run/exim; chown Debian-exim: /run/exim")
	far.write("/etc/exim4/exim4.conf", strings.Replace(eximConf, "@EXIM@", exim, 1))
	far.write("/etc/exim4/tls.pem", issue("mx.far.test"))
	far.write("/etc/exim4/root.pem", one.sh("cat /run/ca/root.pem"))
	far.sh("chmod 644 /etc/exim4/exim4.conf")
	out, _ := far.daemon("root", exim, "-bdf")
	one.start()
	one.write("/etc/inetd.conf", strings.ReplaceAll(strings.Replace(inetdLine, "smtpd\n", "smtpsd\n", 1), "@", home("")))
	one.daemon("root", "inetd", "-i", "/etc/inetd.conf")
	waitPort(t, "10.9.0.11:25")
	far.wait("exim", func() bool {
		_, err := far.run("root", "", "/bin/sh", "-c", "ss -ltn | grep -q :25")
		return err == nil || strings.Contains(out.String(), "Exim configuration error")
	})
	one.inject("Subject: to exim\n\nhello\n", "me@far.test")
	one.waitLog(`success: 10.9.0.12_accepted_message._?/[^\n]*tls=TLSv1.3[^\n]*_policy=verify/`)
	if got := far.sh("cat /run/exim/mainlog"); !strings.Contains(got, "X=TLS1.3:") {
		t.Errorf("%s", got)
	}
	far.feed("root", "Subject: from exim\n\nhello\n", exim, "-odf", "-f", "you@far.test", "me@one.test")
	got := far.sh("cat /run/exim/mainlog")
	if !strings.Contains(got, "=> me@one.test ") || !strings.Contains(got, " CV=yes ") {
		t.Fatalf("%s", got)
	}
	if m := one.waitMessages("me", 1)[0]; !strings.Contains(m, " with ESMTPS (TLS_") {
		t.Errorf("%q", m)
	}
	// The client of OpenSMTPD.
	far.feed("me", "Subject: from smtp\n\nhello\n", smtp, "-C", "-s", "smtp+tls://10.9.0.11:25", "-F", "you@far.test",
		"me@one.test")
	if m := one.waitMessages("me", 2)[1]; !strings.Contains(m, " with ESMTPS (TLS_") {
		t.Errorf("%q", m)
	}
	one.stop()
}
