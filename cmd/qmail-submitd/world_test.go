package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

// password starts the password server, and gives joe one.
func password(t *testing.T) (stop func()) {
	t.Helper()
	cmd := exec.Command(home("bin/qmail-newauth"), "-a", "joe@m.test")
	cmd.Stdin = strings.NewReader("secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	authd := exec.Command(home("bin/qmail-authd"))
	if err := authd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { authd.Process.Kill(); authd.Wait() }
	t.Cleanup(stop)
	poll.Until(t, "qmail-authd listens", func() bool {
		c, err := net.Dial("unix", home("run/auth"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}, func() string { return "" })
	return stop
}

func TestUsersSendWithThePeersOfDebian(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	stop := password(t)
	address, log := testserver.Serve(t, "qmail-submitd")
	host, port, _ := net.SplitHostPort(address)
	run := func(command string) (string, error) {
		testqmail.Need(t, strings.Fields(command[strings.LastIndex(command, "|")+1:])[0])
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		return string(out), err
	}
	swaks := "swaks --server " + host + " --port " + port + " --to c@far.test --h-From 'Joe <joe@m.test>' "
	curl := "printf 'From: joe-x@m.test\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k smtp://" + address +
		" -u joe@m.test:secret --mail-from joe@m.test --mail-rcpt c@far.test -T - "
	for _, command := range []string{
		swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret",
		swaks + "--tls --from joe@m.test --auth LOGIN --auth-user joe@m.test --auth-password secret",
		curl + "--login-options AUTH=PLAIN",
	} {
		out, err := run(command)
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
			continue
		}
		m := testserver.Queued(t)
		for _, want := range []string{" with ESMTPSA (TLS_", "joe@m.test@127.0.0.1)", "Date: ", "Message-I"} {
			if !strings.Contains(m, want) {
				t.Errorf("%s: no %s in %q", command, want, m)
			}
		}
	}
	for command, want := range map[string]string{
		swaks + "--from joe@m.test":       "530 5.7.0",
		swaks + "--tls --from joe@m.test": "530 5.7.0",
		swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password wrong":  "535 5.7.8",
		swaks + "--tls --from eve@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret": "550 5.7.1",
		swaks + "--tls --from joe@m.test --h-From eve@m.test --auth PLAIN --auth-user joe@m.test " +
			"--auth-password secret": "550 5.7.1",
	} {
		if out, err := run(command); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	stop()
	out, err := run(swaks + "--tls --from joe@m.test --auth PLAIN --auth-user joe@m.test --auth-password secret")
	if err == nil || !strings.Contains(out, "454 4.7.0") {
		t.Errorf("without a password server: %v\n%s", err, out)
	}
	if files, _ := filepath.Glob(home("queue/mess/*/*")); len(files) > 0 {
		t.Errorf("%q were queued", files)
	}
	if !strings.Contains(log.String(), ": logged in user <joe@m.test>\n") {
		t.Errorf("%q", log.String())
	}
}
