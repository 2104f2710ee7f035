package main

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

// run runs the program and returns what it says, and its exit code.
func run(args ...string) (string, int) {
	args = append([]string{"-c", `umask 077; exec "$0" "$@"`, home("bin/config-tls")}, args...)
	cmd := exec.Command("/bin/sh", args...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// serves fails unless the installed pair of a name is a pair, with its owners and modes.
func serves(t *testing.T, name string) tls.Certificate {
	t.Helper()
	both, err := tls.LoadX509KeyPair(home("control/tlscerts/"+name), home("keys/tls/"+name+".pem"))
	if err != nil {
		t.Error(err)
	}
	owner, _, _ := testqmail.Account(conf.UserNames().Key)
	for path, want := range map[string]struct {
		uid  int
		mode os.FileMode
	}{
		"keys/tls/" + name + ".pem": {owner, 0o600}, "control/tlscerts/" + name: {0, 0o644},
		"control/tlscerts": {0, os.ModeDir | 0o755},
	} {
		fi, err := os.Lstat(home(path))
		if err != nil {
			t.Error(err)
			continue
		}
		if uid, _ := sys.Owner(fi); uid != want.uid || fi.Mode() != want.mode {
			t.Errorf("%s belongs to %d, %v", path, uid, fi.Mode())
		}
	}
	return both
}

func TestAPairIsPutWhereItServesAndABadOneLeavesWhatWasThere(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	if out, code := run("A.test"); code != 0 || !strings.Contains(out, "nobody vouches") ||
		!strings.Contains(out, "tlsroutes is there now") {
		t.Fatalf("%d: %s", code, out)
	}
	first := serves(t, "a.test")
	if _, err := os.Stat(home("control/tlsroutes")); err != nil {
		t.Error(err)
	}
	os.Remove(home("control/tlsroutes"))
	p, err := makePair("a.test", first.Leaf.NotAfter.Add(-testFor))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := makePair("b.test", first.Leaf.NotAfter.Add(-testFor))
	old, _ := makePair("a.test", first.Leaf.NotAfter.Add(-3*testFor))
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := file("cert", p.chain), file("key", p.key)
	for what, args := range map[string][]string{
		"another's key":   {"a.test", cert, file("key2", other.key)},
		"an ended one":    {"a.test", file("cert3", old.chain), file("key3", old.key)},
		"no certificate":  {"a.test", file("empty", nil), key},
		"no such file":    {"a.test", filepath.Join(dir, "none"), key},
		"a name outside":  {"../a.test", cert, key},
		"a hidden name":   {".a.test", cert, key},
		"no name":         {""},
		"too few":         {"a.test", cert},
		"a key for chain": {"a.test", key, key},
	} {
		if out, code := run(args...); code != 100 || out == "" {
			t.Errorf("%s: %d: %s", what, code, out)
		}
		if now := serves(t, "a.test"); !now.Leaf.Equal(first.Leaf) {
			t.Errorf("%s: the pair is another", what)
		}
	}
	both := file("both", append(p.key, p.chain...))
	if out, code := run("a.test", both, key); code != 0 || strings.Contains(out, "tlsroutes") {
		t.Errorf("%d: %s", code, out)
	}
	if now := serves(t, "a.test"); now.Leaf.Equal(first.Leaf) {
		t.Error("the pair is the old one")
	}
	if b, _ := os.ReadFile(home("control/tlscerts/a.test")); strings.Contains(string(b), "PRIVATE") {
		t.Error("anybody can read the key")
	}
	if _, err := tls.LoadX509KeyPair(home("control/tlscerts/a.test"), home("keys/tls/.a.test.pem")); err == nil {
		t.Error("the key before this one is not kept")
	}
	if _, err := os.Stat(home("control/tlsroutes")); err == nil {
		t.Error("a renewal has mail sent by TLS again")
	}
	warning := `it is not for c.test, but for ["a.test"]`
	if out, code := run("c.test", cert, key); code != 0 || !strings.Contains(out, warning) {
		t.Errorf("%d: %s", code, out)
	}
}

func TestALinkOfTheKeysOwnerIsNeverFollowed(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	victim := filepath.Join(t.TempDir(), "victim")
	for _, name := range []string{"keys/tls/a.test.pem", "keys/tls/.a.test.pem", "keys/tls/.a.test.pem.new"} {
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(home(name))
		if err := os.Symlink(victim, home(name)); err != nil {
			t.Fatal(err)
		}
		run("a.test")
		if b, err := os.ReadFile(victim); string(b) != "precious" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if fi, _ := os.Stat(victim); fi.Mode() != 0o600 {
			t.Errorf("%s: %v", name, fi.Mode())
		}
		os.Remove(home(name))
	}
	os.Rename(home("keys/tls"), home("keys/was"))
	os.Symlink(filepath.Dir(victim), home("keys/tls"))
	if out, code := run("a.test"); code != 111 || !strings.Contains(out, "link") {
		t.Errorf("%d: %s", code, out)
	}
}
