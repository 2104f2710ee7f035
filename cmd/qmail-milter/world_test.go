package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// background starts a program until the test ends, and waits until it listens.
func background(t *testing.T, network, address, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log // a file: it has children
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); cmd.Wait() })
	testserver.Listens(t, network, address, func() string {
		b, _ := os.ReadFile(log.Name())
		return string(b)
	})
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

func TestMiltersAndRspamdAsTheyAreLookAtMail(t *testing.T) {
	testqmail.Need(t, "opendkim", "rspamd")
	if !testqmail.Inside(t) {
		return
	}
	testserver.Resolve(t)
	for name, text := range map[string]string{"me": "m.test", "rcpthosts": "m.test", "filters": "qmail-milter"} {
		testserver.SetControl(t, name, text)
	}
	address, _ := testserver.Serve(t, "qmail-smtpd")
	const from = "From: Joe <joe@a.test>\r\nTo: ann@m.test\r\nDate: Sat, 28 Nov 2026 00:00:00 +0000\r\n" +
		"Message-ID: <1@a.test>\r\nSubject: hello"

	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := "/tmp/opendkim"
	conf := write(t, filepath.Join(dir, "opendkim.conf"), "Mode v\nSocket local:"+socket+"\nUMask 0\n"+
		"AlwaysAddARHeader yes\nAuthservID m.test\nUserID root\nSyslog no\n")
	background(t, "unix", socket, "opendkim", "-f", "-x", conf)
	testserver.SetControl(t, "milters", "unix:"+socket)
	if err := testserver.Send(address, from); err != nil {
		t.Fatal(err)
	}
	m := testserver.Queued(t)
	if !strings.Contains(m, "Authentication-Results: m.test;") || !strings.Contains(m, "dkim=none") {
		t.Errorf("OpenDKIM has said nothing: %q", m)
	}

	// Rspamd's two ways in, without what needs a network.
	worker := func(port, kind string) string {
		return "worker \"" + kind + "\" { bind_socket = \"127.0.0.1:" + port + "\"; count = 1;"
	}
	rules := write(t, filepath.Join(dir, "rspamd.conf"), "options { pidfile = \"/tmp/rspamd.pid\"; filters = \"\"; "+
		"url_tld = \"/usr/share/rspamd/effective_tld_names.dat\"; dns { nameserver = [\"127.0.0.5\"]; } }\n"+
		"logging { type = \"console\"; level = \"error\"; }\n"+
		worker("11333", "normal")+" }\n"+
		worker("11332", "rspamd_proxy")+" milter = yes; timeout = 20s; "+
		"upstream \"local\" { default = yes; hosts = \"127.0.0.1:11333\"; } }\n"+
		"actions { reject = 15; add_header = 6; greylist = 4; }\n")
	background(t, "tcp", "127.0.0.1:11333", "rspamd", "-f", "-i", "-c", rules)
	testserver.Listens(t, "tcp", "127.0.0.1:11332", func() string { return "" })
	for _, line := range []string{"rspamd:127.0.0.1:11333", "inet:127.0.0.1:11332"} {
		testserver.SetControl(t, "milters", line)
		if err := testserver.Send(address, from); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		testserver.Queued(t)
		err := testserver.Send(address, from+"\r\n\r\n"+gtube)
		if err == nil || !strings.HasPrefix(err.Error(), "554 ") || !strings.Contains(err.Error(), "tube") {
			t.Errorf("%s: what every filter refuses: %v", line, err)
		}
	}
	testserver.SetControl(t, "milters", "unix:/nobody/there")
	err := testserver.Send(address, from)
	if err == nil || !strings.HasPrefix(err.Error(), "451 sorry, a content filter") {
		t.Errorf("without the filter: %v", err)
	}
	testserver.SetControl(t, "milters", "unix:/nobody/there accept")
	if err := testserver.Send(address, from); err != nil {
		t.Errorf("without a filter that need not be there: %v", err)
	}
	testserver.Queued(t)
	testserver.SetControl(t, "milters", "nonsense")
	if err := testserver.Send(address, from); err == nil || !strings.HasPrefix(err.Error(), "451 ") {
		t.Errorf("with a wrong line: %v", err)
	}
}
