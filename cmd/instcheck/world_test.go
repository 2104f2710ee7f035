package main

import (
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
	for _, program := range []string{"install", "instcheck"} {
		out, err := exec.Command(filepath.Join(source, "build/bin", program), source).CombinedOutput()
		if err != nil || string(out) != program+": "+hier.KeysOff()+"\n" {
			t.Errorf("%s: %v: %s", program, err, out)
		}
	}
	if _, err := os.Lstat(filepath.Join(conf.Home(), "bin/qmail-key")); err == nil {
		t.Error("there is a qmail-key that belongs to nobody")
	}
	out, err := exec.Command(filepath.Join(conf.Home(), "bin/config-tls"), "a.test").CombinedOutput()
	if err == nil || !strings.Contains(string(out), hier.KeysOff()) {
		t.Errorf("config-tls: %v: %s", err, out)
	}
}
