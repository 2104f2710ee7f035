package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/site/hier"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func TestWithoutTheUserOfTheKeysAllElseIsInstalledAndThatIsSaid(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for l := range strings.Lines(string(text)) {
		if !strings.HasPrefix(l, conf.UserNames().Key+":") {
			left = append(left, l)
		}
	}
	if err := os.WriteFile("/etc/passwd", []byte(strings.Join(left, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"bin/qmail-key", "keys"} {
		if err := os.RemoveAll(filepath.Join(conf.Home(), gone)); err != nil {
			t.Fatal(err)
		}
	}
	for program, want := range map[string]string{"install": "install: " + hier.KeysOff() + "\n", "instcheck": ""} {
		out, err := exec.Command(filepath.Join(source, "build/bin", program), source).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %v: %s", program, err, out)
		}
	}
	certs := filepath.Join(conf.Home(), "control/tlscerts")
	if err := errors.Join(os.Mkdir(certs, 0o755), os.WriteFile(filepath.Join(certs, "a.test"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(filepath.Join(source, "build/bin/instcheck"), source).CombinedOutput()
	if err == nil || !strings.Contains(string(said), hier.KeysOff()) {
		t.Errorf("instcheck, with a certificate: %v: %s", err, said)
	}
	if _, err := os.Lstat(filepath.Join(conf.Home(), "bin/qmail-key")); err == nil {
		t.Error("there is a qmail-key that belongs to nobody")
	}
	out, err := exec.Command(filepath.Join(conf.Home(), "bin/config-tls"), "a.test").CombinedOutput()
	if err == nil || !strings.Contains(string(out), hier.KeysOff()) {
		t.Errorf("config-tls: %v: %s", err, out)
	}
}
