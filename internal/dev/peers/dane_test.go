//go:build linux

package peers

import (
	"strings"
	"testing"
)

// zone is that of the test: hosts of one address, whose TLSA records are good, those of somebody else, changing, forged
// after they were signed, and for an authority.
const zone = `$TTL 1
@ SOA ns.test. root.test. 1 3600 600 86400 1
@ NS ns.test.
ns A 127.0.0.1
@KEYS@
good MX 10 mx.good
bad MX 10 mx.bad
roll MX 10 mx.roll
forged MX 10 mx.forged
anchor MX 10 mx.far
mx.good A 10.9.0.12
mx.bad A 10.9.0.12
mx.roll A 10.9.0.12
mx.forged A 10.9.0.12
mx.far A 10.9.0.12
_25._tcp.mx.good TLSA 3 1 1 @OLD@
_25._tcp.mx.bad TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
_25._tcp.mx.roll TLSA 3 1 1 @OLD@
_25._tcp.mx.roll TLSA 3 1 1 @NEW@
_25._tcp.mx.forged TLSA 3 1 1 1111111111111111111111111111111111111111111111111111111111111111
_25._tcp.mx.far TLSA 2 0 1 @CA@
`

// unsigned is a zone that nobody vouches for, with a record that is wrong.
const unsigned = `$TTL 1
@ SOA ns.open. root.open. 1 3600 600 86400 1
@ NS ns.open.
ns A 127.0.0.1
x MX 10 mx
mx A 10.9.0.12
_25._tcp.mx TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
`

const unbound = `server:
  interface: 127.0.0.1
  username: ""
  chroot: ""
  directory: "/run/dns"
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor-file: "/run/dns/anchor"
  local-zone: "test." nodefault
  domain-insecure: "open."
auth-zone:
  name: "test."
  zonefile: "/run/dns/signed"
  for-downstream: no
  for-upstream: yes
auth-zone:
  name: "open."
  zonefile: "/run/dns/open"
  for-downstream: no
  for-upstream: yes
`

func TestTLSARecordsOfASignedZoneSayWhoIsTheHost(t *testing.T) {
	if !inside(t, "postfix", "dnsmasq", "ip", "openssl", "unbound", "dnssec-signzone") {
		return
	}
	network(t)
	one, far := boot(t, "one.test", "11"), boot(t, "far.test", "12")
	issue := authority(one)
	digest := func() string {
		return strings.TrimSpace(one.sh("openssl x509 -in /run/ca/cert -noout -pubkey | openssl pkey -pubin -outform DER | " +
			"sha256sum | cut -d' ' -f1"))
	}
	pair := issue("mx.far.test")
	before := digest()
	next := issue("mx.far.test")
	after := digest()
	ca := one.sh("openssl x509 -in /run/ca/root.pem -outform DER | sha256sum | cut -d' ' -f1")
	far.write("/etc/tls.pem", pair+one.sh("cat /run/ca/root.pem"))
	far.postfix()
	far.sh("postconf -e smtpd_tls_chain_files=/etc/tls.pem smtpd_tls_security_level=may " +
		"mydestination=good.test,bad.test,roll.test,forged.test,anchor.test,x.open")
	far.must("root", "postfix", "reload")

	one.sh("mkdir -p /run/dns; chmod 755 /run/dns")
	one.sh(`cd /run/dns; dnssec-keygen -q -a ECDSAP256SHA256 -f KSK -n ZONE test >ksk
dnssec-keygen -q -a ECDSAP256SHA256 -n ZONE test >zsk; cat "$(cat ksk).key" >anchor`)
	text := strings.NewReplacer("@OLD@", before, "@NEW@", after, "@CA@", strings.TrimSpace(ca),
		"@KEYS@\n", one.sh("cd /run/dns; cat *.key")).Replace(zone)
	one.write("/run/dns/zone", text)
	one.write("/run/dns/open", unsigned)
	one.sh(`cd /run/dns; dnssec-signzone -q -o test -f signed zone; sed -i 's/1111111111/2222222222/' signed; chmod 644 *`)
	one.write("/run/dns/unbound.conf", unbound)
	out, _ := one.daemon("root", "unbound", "-d", "-c", "/run/dns/unbound.conf")
	one.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions edns0 trust-ad\n")
	one.wait("unbound", func() bool {
		_, err := one.run("root", "", "/bin/sh", "-c", "ss -lun | grep -q 127.0.0.1:53")
		return err == nil || strings.Contains(out.String(), "fatal")
	})
	one.configure()
	one.control("tlsroutes", "")
	one.start()

	const dane = `success: 10.9.0.12_accepted_message._?/[^\n]*_policy=dane/`
	send := func(domain, want string) {
		t.Helper()
		one.inject("Subject: x\n\nhello\n", "me@"+domain)
		one.waitLog(`to remote me@` + domain + `\n(?s:.*)` + want)
	}
	send("good.test", dane)
	send("anchor.test", dane)
	send("bad.test", `deferral: Connected_to_10.9.0.12_but_TLS_failed_.mx.bad.test,_policy_dane.:`)
	send("forged.test", `deferral: Sorry,_I_couldn't_find_out_by_DNSSEC_which_certificate_mx.forged.test_has`)
	send("x.open", `success: 10.9.0.12_accepted_message._?/[^\n]*_policy=may/`)
	// A new key, of which the zone knows beforehand.
	send("roll.test", dane)
	far.write("/etc/tls.pem", next)
	far.must("root", "postfix", "reload")
	one.stop()
	one.start()
	send("roll.test", dane+"(?s:.*)"+dane) // the one before, and this
	send("good.test", `deferral: Connected_to_10.9.0.12_but_TLS_failed_.mx.good.test,_policy_dane.:`)
	one.stop()
}
