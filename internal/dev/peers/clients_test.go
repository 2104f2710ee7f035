//go:build linux

package peers

import (
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testserver"
)

// python sends a message as smtplib does: its arguments are STARTTLS or not, the address, and a login.
const python = `import smtplib, ssl, sys
how, host, port, user, password = sys.argv[1:]
c = ssl._create_unverified_context()
s = smtplib.SMTP(host, int(port)) if how == "starttls" else smtplib.SMTP_SSL(host, int(port), context=c)
if how == "starttls":
    s.starttls(context=c)
if user:
    s.login(user, password)
s.sendmail("joe@m.test", ["c@far.test"], "From: joe@m.test\r\nSubject: python\r\n\r\nx\r\n")
s.quit()
`

// mailers are commands that send a message with the login joe@m.test and secret, or without one: by STARTTLS, or by TLS
// from the start.
func mailers(address string, implicit, login bool) []string {
	host, port, _ := net.SplitHostPort(address)
	msmtp := "printf 'From: joe@m.test\\n\\nx\\n' | msmtp --host=" + host + " --port=" + port + " --tls=on " +
		"--tls-certcheck=off --from=joe@m.test --tls-starttls=" + map[bool]string{true: "off", false: "on"}[implicit]
	swaks := "swaks --server " + host + " --port " + port + " --from joe@m.test --to c@far.test --h-From joe@m.test " +
		map[bool]string{true: "--tls-on-connect", false: "--tls"}[implicit]
	scheme := map[bool]string{true: "smtps", false: "smtp"}[implicit]
	curl := "printf 'From: joe@m.test\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k " + scheme + "://" + address +
		" --mail-from joe@m.test --mail-rcpt c@far.test -T -"
	py := "/usr/bin/python3 /run/send.py " + map[bool]string{true: "tls", false: "starttls"}[implicit] + " " + host +
		" " + port
	if !login {
		return []string{msmtp + " c@far.test", swaks, curl, py + " '' ''"}
	}
	return []string{
		msmtp + " --user=joe@m.test --passwordeval='echo secret' --auth=plain c@far.test",
		swaks + " --auth LOGIN --auth-user joe@m.test --auth-password secret",
		curl + " -u joe@m.test:secret --login-options AUTH=PLAIN",
		py + " joe@m.test secret",
	}
}

// converse runs a command that ends when its peer does, and returns its output.
func (q *qmail) converse(input string, args ...string) string {
	q.t.Helper()
	cmd := q.Command("root", args...)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		q.t.Fatal(err)
	}
	late := time.AfterFunc(poll.Limit, func() { cmd.Process.Kill() })
	defer late.Stop()
	in.Write([]byte(input))
	cmd.Wait()
	return out.String()
}

// passwords has qmail-authd run, which knows joe@m.test and his secret.
func (q *qmail) passwords() {
	q.t.Helper()
	q.feed("root", "secret\n", home("bin/qmail-newauth"), "-a", "joe@m.test")
	q.daemon("root", home("bin/qmail-authd"))
	q.wait("qmail-authd", func() bool { _, err := net.Dial("unix", home("run/auth")); return err == nil })
}

func TestProgramsOfUsersSendByTLSAndLogIn(t *testing.T) {
	if !inside(t, "msmtp", "swaks", "curl", "python3") {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.write("/run/send.py", python)
	q.passwords()
	for _, env := range []string{"A=", "SMTPS="} {
		address, log := testserver.Serve(t, "qmail-submitd", env)
		commands := mailers(address, env == "SMTPS=", true)
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
	}
}

func TestProgramsLogInByTheSuccessorsArguments(t *testing.T) {
	if !inside(t, "msmtp", "swaks", "curl", "python3", "gnutls-cli") {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.control("rcpthosts", "m.test\n")
	q.write("/run/send.py", python)
	q.write("/run/check", `#!/bin/sh
test "$(tr '\0' ' ' <&3 | cut -d' ' -f1,2)" = "joe@m.test secret" || exit 1
exec "$@"
`)
	q.sh("chmod 755 /run/check")
	for _, env := range []string{"A=", "SMTPS="} {
		address, log := testserver.Serve(t, "qmail-smtpsd m.test /run/check true", env)
		for _, command := range mailers(address, env == "SMTPS=", true) {
			if out, err := q.run("root", "", "/bin/sh", "-c", command); err != nil {
				t.Errorf("%s: %v\n%s\n%s", command, err, out, log)
				continue
			}
			if m := testserver.Queued(t); !strings.Contains(m, " with ESMTPSA (TLS_") || !strings.Contains(m, "(joe@m.test@") {
				t.Errorf("%s: %q", command, m)
			}
		}
		for _, command := range mailers(address, env == "SMTPS=", false)[:1] {
			if out, err := q.run("root", "", "/bin/sh", "-c", command); err == nil {
				t.Errorf("%s, without a login:\n%s", command, out)
			}
		}
		host, port, _ := net.SplitHostPort(address)
		command := []string{"gnutls-cli", "--no-ca-verification", "-p", port, host}
		if env == "A=" {
			command = append(command, "--starttls-proto=smtp")
		}
		out := q.converse("EHLO x\r\nQUIT\r\n", command...)
		if !strings.Contains(out, "250-AUTH LOGIN PLAIN") || !strings.Contains(out, "TLS1.3") {
			t.Errorf("gnutls-cli: %s", out)
		}
	}
	// In the clear there is no login unless the administrator wants it.
	address, _ := testserver.Serve(t, "qmail-smtpd m.test /run/check true", "FORCETLS=0")
	host, port, _ := net.SplitHostPort(address)
	swaks := "swaks --server " + host + " --port " + port + " --from joe@m.test --to c@far.test " +
		"--auth PLAIN --auth-user joe@m.test --auth-password "
	if out, err := q.run("root", "", "/bin/sh", "-c", swaks+"wrong"); err == nil || !strings.Contains(out, "535 ") {
		t.Errorf("a wrong password: %v\n%s", err, out)
	}
	q.sh(swaks + "secret")
	if m := testserver.Queued(t); !strings.Contains(m, " with ESMTPA; ") || !strings.Contains(m, "(joe@m.test@") {
		t.Errorf("%q", m)
	}
	address, _ = testserver.Serve(t, "qmail-smtpd /run/check true")
	host, port, _ = net.SplitHostPort(address)
	swaks = "swaks --server " + host + " --port " + port + " --to c@m.test --auth PLAIN " +
		"--auth-user joe@m.test --auth-password secret"
	if out, err := q.run("root", "", "/bin/sh", "-c", swaks); err == nil ||
		!strings.Contains(out, "did not advertise authentication") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUsersOfTheMachineLogInByASetUIDCheckpassword(t *testing.T) {
	if !inside(t, "swaks", "openssl") {
		return
	}
	q := here(t)
	testserver.Install(t)
	q.sh("usermod -p \"$(openssl passwd -6 secret)\" me; cd " + home("bin") +
		"; chgrp nofiles checkpassword; chmod 4750 checkpassword")
	address, log := testserver.Serve(t, "qmail-smtpsd "+home("bin/checkpassword")+" /bin/true")
	host, port, _ := net.SplitHostPort(address)
	for word, want := range map[string]string{"secret": "235 ", "wrong": "535 "} {
		out, err := q.run("root", "", "swaks", "--tls", "--server", host, "--port", port, "--from", "me@m.test", "--to",
			"c@far.test", "--auth", "PLAIN", "--auth-user", "me", "--auth-password", word)
		if !strings.Contains(out, want) || (err == nil) != (word == "secret") {
			t.Errorf("%s: %v\n%s\n%s", word, err, out, log)
		}
	}
	if m := testserver.Queued(t); !strings.Contains(m, "(me@127.0.0.1)") {
		t.Errorf("%q", m)
	}
	if _, err := q.run("me", "", home("bin/checkpassword"), "true"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user runs it: %v", err)
	}
}
