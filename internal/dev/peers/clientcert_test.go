//go:build linux

package peers

import (
	"os"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testserver"
)

// ofClients makes /run/clients with the certificates of clients and their keys: joe's, eve's, one of joe's that was
// revoked, and one of another authority; and the authority's list of what it has revoked.
const ofClients = `mkdir /run/clients && cd /run/clients && exec 2>/dev/null
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
for ca in ca other; do
	openssl req -x509 $ec -subj /CN=$ca -days 30 -keyout $ca.key -out $ca.pem
done
serial=10
issue() { # NAME AUTHORITY ADDRESS
	serial=$((serial + 1))
	openssl req $ec -subj /CN=$1 -keyout $1.key -out req
	printf 'subjectAltName=email:%s\nextendedKeyUsage=clientAuth\n' $3 >ext
	openssl x509 -req -in req -CA $2.pem -CAkey $2.key -set_serial 0x$serial -days 30 -extfile ext -out $1.pem
}
issue joe ca joe@far.test
issue eve ca eve@far.test
issue revoked ca joe@far.test
issue stranger other joe@far.test
printf 'R\t401231000000Z\t251231000000Z\t13\tunknown\t/CN=revoked\n' >index
echo 01 >number
printf '[ca]\ndefault_ca=x\n[x]\ndatabase=index\ndefault_md=sha256\ncrlnumber=number\n' >conf
openssl ca -config conf -gencrl -keyfile ca.key -cert ca.pem -crldays 30 -out crl.pem
test -s crl.pem`

func TestAClientWithACertificateThatIsListedMayRelayAndNoOther(t *testing.T) {
	if !inside(t, "curl", "openssl") {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.sh(ofClients)
	q.control("rcpthosts", "m.test\n", "tlsclients", "joe@far.test\n",
		"clientca.pem", q.sh("cat /run/clients/ca.pem"), "clientcrl.pem", q.sh("cat /run/clients/crl.pem"))
	address, log := testserver.Serve(t, "qmail-smtpsd")
	send := func(who, to string) (string, error) {
		certificate := ""
		if who != "" {
			certificate = " --cert /run/clients/" + who + ".pem --key /run/clients/" + who + ".key"
		}
		return q.run("root", "", "/bin/sh", "-c", "printf 'Subject: x\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k smtp://"+
			address+certificate+" --mail-from joe@far.test --mail-rcpt "+to+" -T -")
	}
	for _, who := range []string{"joe", "eve", "revoked", "stranger", ""} {
		// To us anybody may send, by TLS too, whatever the certificate.
		if out, err := send(who, "me@m.test"); err != nil {
			t.Errorf("%s to us: %v %s", who, err, out)
			continue
		}
		testserver.Queued(t)
		out, err := send(who, "you@elsewhere.test")
		switch {
		case who == "joe" && err != nil:
			t.Errorf("%v %s\n%s", err, out, log)
		case who == "joe":
			testserver.Queued(t)
		case err == nil || !strings.Contains(out, "553"):
			t.Errorf("%s: %v %s", who, err, out)
		}
	}
	if !strings.Contains(log.String(), "the client's certificate does not count because <it_is_revoked>") {
		t.Errorf("%s", log)
	}
	// Without a list of what is revoked nothing is; one that cannot be read lets nobody in.
	q.control("clientcrl.pem", "nonsense\n")
	if out, err := send("joe", "you@elsewhere.test"); err == nil {
		t.Errorf("with a bad list: %s", out)
	}
	q.sh("rm " + home("control/clientcrl.pem"))
	if out, err := send("revoked", "you@elsewhere.test"); err != nil {
		t.Errorf("without a list: %v %s", err, out)
	} else {
		testserver.Queued(t)
	}
}

func TestARenewedCertificateAndANewNameAreUsedByTheNextSession(t *testing.T) {
	if !inside(t, "openssl", "gnutls-cli") {
		return
	}
	q := here(t)
	testserver.Install(t)
	issue := authority(q)
	address, _ := testserver.Serve(t, "qmail-smtpsd")
	set := func(name string) string {
		q.write("/run/pair.pem", issue(name))
		q.must("root", home("bin/config-tls"), name, "/run/pair.pem", "/run/pair.pem")
		return strings.TrimSpace(q.sh("openssl x509 -in /run/pair.pem -noout -serial"))
	}
	serves := func(name, serial string) {
		t.Helper()
		out := q.sh("printf 'QUIT\\r\\n' | openssl s_client -starttls smtp -connect " + address + " -servername " + name +
			" -CAfile /run/ca/root.pem 2>/dev/null | openssl x509 -noout -serial")
		if strings.TrimSpace(out) != serial {
			t.Errorf("%s has %s, not %s", name, out, serial)
		}
	}
	mine := set("m.test")
	serves("m.test", mine)
	serves("www.m.test", mine) // no name of ours: the default
	www := set("www.m.test")
	serves("www.m.test", www)
	serves("m.test", mine)
	serves("elsewhere.test", mine)
	again := set("www.m.test")
	if again == www {
		t.Fatal("not renewed")
	}
	serves("www.m.test", again)
	mine = set("m.test")
	serves("m.test", mine)
}

func TestACertificateWithoutQmailKeyIsALineOfTheLog(t *testing.T) {
	if !inside(t, "swaks") {
		return
	}
	q := here(t)
	testserver.Install(t)
	if err := os.Remove(conf.Home() + "/bin/qmail-key"); err != nil {
		t.Fatal(err)
	}
	address, log := testserver.Serve(t, "qmail-smtpsd")
	host, port, _ := strings.Cut(address, ":")
	q.must("root", "swaks", "--server", host, "--port", port, "--from", "a@b.test", "--to", "me@m.test")
	testserver.Queued(t)
	if !strings.Contains(log.String(), ": no TLS now (#4.7.0) because <no_qmail-key>\n") {
		t.Errorf("%q", log.String())
	}
}
