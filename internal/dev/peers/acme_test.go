//go:build linux

package peers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

const pebble = `{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
"certificate": "/run/pebble.pem", "privateKey": "/run/pebble.pem", "httpPort": 80, "tlsPort": 443,
"ocspResponderURL": "", "externalAccountBindingRequired": false}}
`

// documented returns the command of docs/TLS.md that begins so.
func documented(t *testing.T, begin string) string {
	t.Helper()
	top, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(top, "docs/TLS.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    # (` + begin + ` (?s:.*?))\n\n`).FindSubmatch(b)
	if found == nil {
		t.Fatalf("docs/TLS.md has no command %s", begin)
	}
	return strings.ReplaceAll(string(found[1]), "/var/qmail/", home("")+"/")
}

func TestTheCommandsOfTheDocumentGetCertificatesByACME(t *testing.T) {
	if !inside(t, "pebble", "certbot", "lego", "dnsmasq", "ip", "openssl") {
		return
	}
	network(t, host("mail.example.org", "10.9.0.11"), host("localhost", "127.0.0.1"))
	one := boot(t, "one.test", "11")
	one.configure()
	issue := authority(one)
	one.write("/run/pebble.pem", issue("localhost"))
	one.write("/run/pebble.json", pebble)
	one.daemon("root", "env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "pebble", "-config", "/run/pebble.json",
		"-dnsserver", testqmail.Gateway4+":53")
	one.wait("pebble", func() bool {
		_, err := one.run("root", "", "/bin/sh", "-c", "curl -sSk https://localhost:14000/dir")
		return err == nil
	})
	serial := func() string {
		t.Helper()
		chain := home("control/tlscerts/mail.example.org")
		got := one.sh("openssl x509 -noout -ext subjectAltName -in " + chain)
		if !strings.Contains(got, "DNS:mail.example.org") {
			t.Errorf("%s", got)
		}
		key := home("keys/tls/mail.example.org.pem")
		if got = one.sh("stat -c '%U %a' " + key + "; grep -c 'BEGIN CERT' " + chain); got != "qmailk 600\n2\n" {
			t.Errorf("%q", got)
		}
		if a, b := one.sh("openssl pkey -pubout -in "+key), one.sh("openssl x509 -noout -pubkey -in "+chain); a != b {
			t.Error("the key is none of the certificate")
		}
		return one.sh("openssl x509 -noout -serial -in " + chain)
	}
	certbot := documented(t, "certbot")
	const quiet = " -n --agree-tos --register-unsafely-without-email --server https://localhost:14000/dir"
	one.sh("mkdir -p /run/acme; export REQUESTS_CA_BUNDLE=/run/ca/root.pem; cd /run/acme; " + strings.Replace(certbot,
		"certbot ", "certbot --config-dir c --work-dir w --logs-dir l ", 1) + quiet)
	first := serial()
	one.sh("export REQUESTS_CA_BUNDLE=/run/ca/root.pem; cd /run/acme; " +
		"certbot renew --force-renewal --no-random-sleep-on-renew --config-dir c --work-dir w --logs-dir l -n")
	second := serial()
	if second == first {
		t.Error("certbot's renewal is not used")
	}
	lego := documented(t, "lego")
	one.sh("export LEGO_CA_CERTIFICATES=/run/ca/root.pem; " + strings.Replace(strings.ReplaceAll(lego, "/root/lego",
		"/run/acme/lego"), "lego ", "lego --accept-tos --server https://localhost:14000/dir ", 1))
	if serial() == second {
		t.Error("lego's certificate is not used")
	}
}
