package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

func configure(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command(home("bin/config-mail"), args...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("%v: exit code %d, want %d: %s", args, got, want, out)
	}
	return string(out)
}

func file(name string) string {
	b, _ := os.ReadFile(home("control/" + name))
	return string(b)
}

func TestMailIsSignedOnceTheDNSHasTheKeys(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	configure(t, 100)
	configure(t, 100, "../etc")
	stop := testserver.Resolve(t, "a.test,v=spf1 mx ~all")
	out := configure(t, 0, "A.test")
	var zone []string
	for line := range strings.Lines(out) {
		if name, text, ok := strings.Cut(line, ". IN TXT ( "); ok {
			zone = append(zone, name+","+strings.Trim(strings.ReplaceAll(strings.TrimSuffix(text, " )\n"), `" "`, ","), `"`))
		}
	}
	if len(zone) != 3 || !strings.Contains(out, "_dmarc.a.test. IN TXT ( \"v=DMARC1; p=none;") ||
		!strings.Contains(out, "run config-mail a.test again") {
		t.Fatalf("the records are not told: %s", out)
	}
	if file("dkimdomains") != "" || file("filters") != "qmail-verify\n" {
		t.Errorf("dkimdomains %q, filters %q", file("dkimdomains"), file("filters"))
	}
	if again := configure(t, 0, "a.test"); !strings.HasSuffix(again, out[strings.Index(out, "The DNS lacks"):]) {
		t.Errorf("the second time it says %s", again)
	}
	stop()
	if out := configure(t, 111, "a.test"); !strings.Contains(out, "the DNS does not say") || file("dkimdomains") != "" {
		t.Errorf("without the DNS: %s", out)
	}
	testserver.Resolve(t, append(zone, "a.test,v=spf1 mx ~all")...)
	out = configure(t, 0, "a.test")
	year := out[strings.Index(out, "a.test:rsa")+len("a.test:rsa"):][:4]
	if want := "a.test:rsa" + year + ",ed" + year + "\n"; file("dkimdomains") != want || strings.Contains(out, "lacks") {
		t.Errorf("dkimdomains is %q: %s", file("dkimdomains"), out)
	}
	before := file("dkimdomains")
	os.WriteFile(home("control/filters"), []byte("mine\n"), 0o644)
	out = configure(t, 0, "a.test")
	if file("dkimdomains") != before || file("filters") != "mine\n" || strings.Count(out, "stays as it is") != 2 {
		t.Errorf("what was there is changed: %q, %q, %s", file("dkimdomains"), file("filters"), out)
	}
}
