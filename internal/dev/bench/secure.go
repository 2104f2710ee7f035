package main

import (
	"crypto/tls"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"qmail/conf"
)

// The certificate is one for all: config-tls made it, on P-256, and nobody vouches for it.
func certFile() string { return conf.Home() + "/control/tlscerts/" + domain }
func keyFile() string  { return conf.Home() + "/keys/tls/" + domain + ".pem" }

const (
	login    = "user0@" + domain
	password = "a password"
)

func plainResponse() string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + login + "\x00" + password))
}

// clientTLS is what the load generator offers: what OpenSSL 3.0 and Go agree on, so that systems do the same work.
var clientTLS = sync.OnceValue(func() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}}
})

// serverTLS is what the sink takes.
func serverTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile(), keyFile())
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, SessionTicketsDisabled: true}, nil
}

// secure makes the certificate.
func secure() error { return command(conf.Home()+"/bin/config-tls", domain) }

// routes has mail sent by TLS where the workload says so.
func (q *qmail) routes(w way) error {
	name := conf.Home() + "/control/tlsroutes"
	if w == bothTLS {
		return os.WriteFile(name, nil, 0o644)
	}
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// passwords starts qmail-authd with one user.
func (q *qmail) passwords(env []string) error {
	c := exec.Command(conf.Home()+"/bin/qmail-newauth", "-a", login)
	c.Stdin = strings.NewReader(password + "\n")
	if err := c.Run(); err != nil {
		return err
	}
	if err := q.run(env, nil, conf.Home()+"/bin/qmail-authd"); err != nil {
		return err
	}
	return until("qmail-authd", 10*time.Second, func() bool { return exists(conf.Home() + "/run/auth") })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// postfixTLS are the settings of Postfix for a workload.
func postfixTLS(w way) []string {
	in, out, auth := "none", "none", "no"
	if w != plain {
		in = "may"
	}
	if w == bothTLS {
		out = "may"
	}
	if w == byLogin {
		auth = "yes"
	}
	return []string{
		"smtpd_tls_security_level=" + in, "smtp_tls_security_level=" + out, "smtpd_sasl_auth_enable=" + auth,
		"smtpd_tls_cert_file=" + certFile(), "smtpd_tls_key_file=" + keyFile(), "smtpd_tls_auth_only=yes",
		"smtpd_sasl_type=dovecot", "smtpd_sasl_path=private/auth", "smtpd_tls_eecdh_grade=auto",
		"tls_eecdh_auto_curves=X25519",
	}
}

const dovecotConf = `protocols =
base_dir = /run/bench-dovecot
state_dir = /run/bench-dovecot
log_path = /run/bench-dovecot.log
ssl = no
auth_mechanisms = plain
passdb {
  driver = passwd-file
  args = scheme=SCRAM-SHA-256 /run/bench-dovecot.users
}
userdb {
  driver = static
  args = uid=1 gid=1 home=/
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0600
    user = postfix
  }
}
`

// passwords starts Dovecot's password server with one user, whose entry is of the same kind as ours.
func (p *postfix) passwords() error {
	const name = "/run/bench-dovecot.conf"
	if err := os.WriteFile(name, []byte(dovecotConf), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/bench-dovecot", 0o755); err != nil {
		return err
	}
	entry, err := exec.Command("doveadm", "-c", name, "pw", "-s", "SCRAM-SHA-256", "-p", password).Output()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/run/bench-dovecot.users", []byte(login+":"+string(entry)), 0o644); err != nil {
		return err
	}
	if err := p.beside("dovecot", "-F", "-c", name); err != nil {
		return err
	}
	return until("Dovecot", 10*time.Second, func() bool { return exists("/var/spool/postfix/private/auth") })
}
