package main

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/mailauth/dkim"
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
	args = append([]string{"-c", `umask 0; exec "$0" "$@"`, home("bin/qmail-dkimkey")}, args...)
	cmd := exec.Command("/bin/sh", args...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

func TestAKeyIsTheHoldersAloneAndItsRecordIsOfIt(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	owner, _, _ := testqmail.Account(conf.UserNames().Key)
	for _, args := range [][]string{{"A.test", "R1"}, {"-b", "1024", "a.test", "r2"}, {"-e", "a.test", "e1"}} {
		out, code := run(args...)
		if code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		domain, selector := "a.test", strings.ToLower(args[len(args)-1])
		if !strings.HasPrefix(out, selector+"._domainkey."+domain+". IN TXT ( \"v=DKIM1; k=") {
			t.Errorf("%s", out)
		}
		value := ""
		for _, s := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(out, -1) {
			if len(s[1]) > 255 {
				t.Errorf("a string of %d bytes", len(s[1]))
			}
			value += s[1]
		}
		key, err := dkim.ParseKey(value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		path := home("keys/dkim/a.test/" + selector + ".pem")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		private, err := parse(b)
		if err != nil {
			t.Fatal(err)
		}
		switch p := private.Public().(type) {
		case *rsa.PublicKey:
			if !p.Equal(key.Public) || args[0] == "-b" && p.N.BitLen() != 1024 || args[0] != "-b" && p.N.BitLen() != 2048 {
				t.Errorf("%s: another key, or size", args)
			}
		case ed25519.PublicKey:
			if !p.Equal(key.Public) || args[0] != "-e" {
				t.Errorf("%s: another key", args)
			}
		}
		for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
			fi, err := os.Lstat(p)
			if err != nil {
				t.Fatal(err)
			}
			if uid, _ := sys.Owner(fi); uid != owner || fi.Mode() != mode {
				t.Errorf("%s belongs to %d, %v", p, uid, fi.Mode())
			}
		}
		if again, code := run(args...); code != 0 || again != "; The key was there already.\n"+out {
			t.Errorf("%d: %s", code, again)
		}
		if now, _ := os.ReadFile(path); string(now) != string(b) {
			t.Error("a key that was there is another")
		}
		if strings.Contains(out, base64.StdEncoding.EncodeToString(b)[:40]) || strings.Contains(out, "PRIVATE") {
			t.Error("the private key is printed")
		}
	}
	for what, args := range map[string][]string{
		"no selector": {"a.test"}, "a path": {"a.test", "../x"}, "a path in front": {"../a.test", "x"},
		"hidden":  {".a.test", "x"},
		"nothing": {"", ""}, "short": {"-b", "512", "a.test", "x"}, "long": {"-b", "65536", "a.test", "x"},
		"no number": {"-b", "x", "a.test", "x"}, "no option": {"-z", "a.test", "x"}, "another type": {"-e", "a.test", "r1"},
	} {
		if out, code := run(args...); code != 100 || out == "" {
			t.Errorf("%s: %d: %s", what, code, out)
		}
	}
}

func TestALinkOfTheKeysOwnerIsNeverFollowed(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	elsewhere := t.TempDir()
	victim := filepath.Join(elsewhere, "victim")
	for _, link := range []string{"keys/dkim/b.test", "keys/dkim/c.test/s.pem", "keys/dkim/c.test/.s.pem.new"} {
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(home("keys/dkim/c.test"))
		os.MkdirAll(filepath.Dir(home(link)), 0o700)
		target := victim
		if filepath.Dir(link) == "keys/dkim" {
			target = elsewhere
		}
		if err := os.Symlink(target, home(link)); err != nil {
			t.Fatal(err)
		}
		for _, domain := range []string{"b.test", "c.test"} {
			run(domain, "s")
		}
		if b, err := os.ReadFile(victim); string(b) != "precious" {
			t.Errorf("%s: %q, %v", link, b, err)
		}
		if list, _ := os.ReadDir(elsewhere); len(list) != 1 {
			t.Errorf("%s: a file was made elsewhere", link)
		}
		if fi, _ := os.Stat(elsewhere); fi.Mode().Perm() == 0o700 {
			if uid, _ := sys.Owner(fi); uid != os.Getuid() {
				t.Errorf("%s: the folder elsewhere was given away", link)
			}
		}
		os.RemoveAll(home(link))
	}
}
