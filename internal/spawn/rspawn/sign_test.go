package rspawn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
)

// signs has a Deliverer sign, by a script in the place of qmail-dksign that notes each of its runs.
func signs(t *testing.T, r *Deliverer, script string) (runs func() int) {
	t.Helper()
	dir := t.TempDir()
	r.choice.control = control.Dir(dir)
	if err := os.WriteFile(filepath.Join(dir, control.Signing), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, "runs")
	script = "#!/bin/sh\necho >>" + note + "\n" + script
	if err := os.WriteFile(filepath.Join(r.runner.Bin, signerProgram), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return func() int {
		b, _ := os.ReadFile(note)
		return len(b)
	}
}

// says is a qmail-remote that reports its environment and its message.
const says = `printf 'r\0K%s|%s\n\0' "$DKIMSIGNATURE" "$(cat)"`

func TestAMessageIsSignedOnceForAllItsDeliveries(t *testing.T) {
	r := site(t, says)
	runs := signs(t, r, `cat <&0 >/dev/null; printf 'DKIM-Signature: v=1;\r\n\tb=x\r\n'`)
	for range 3 {
		if got := deliver(t, r, 1, "a@far.test")[0]; got != "KDKIM-Signature: v=1;\r\n\tb=x\r\n|\n" &&
			got != "KDKIM-Signature: v=1;\r\n\tb=x\r\n|message\n" {
			t.Errorf("%q", got)
		}
	}
	if n := runs(); n != 1 {
		t.Errorf("it was signed %d times", n)
	}
	if err := os.WriteFile("7/7", []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, r, 1, "a@far.test")
	if n := runs(); n != 2 {
		t.Errorf("another message of the same number was not signed: %d runs", n)
	}
	if err := os.WriteFile(filepath.Join(string(r.choice.control), control.Signing), []byte("#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, r, 1, "a@far.test")
	if n := runs(); n != 3 {
		t.Errorf("what was signed by another rule was used: %d runs", n)
	}
}

func TestWhatCannotBeSignedWaitsAndNothingBounces(t *testing.T) {
	for script, want := range map[string]string{
		"echo no such key; exit 111":            "no such key",
		"exit 111":                              "unable to run",
		"exit 100":                              "unable to run",
		"exit 1":                                "unable to run",
		"kill -9 $$":                            "crashed",
		"echo hello":                            "no usable signature",
		"printf 'DKIM-Signature: x'":            "no usable signature",
		`printf 'DKIM-Signature: x\n\n'`:        "no usable signature",
		`printf 'DKIM-Signature: x\nFrom: x\n'`: "no usable signature",
		`yes 'DKIM-Signature: xxxxxxxxxxxxxx' | head -9999`: "no usable signature",
	} {
		r := site(t, says)
		runs := signs(t, r, script)
		for n := range 2 {
			got := deliver(t, r, 1, "a@far.test")[0]
			if !strings.HasPrefix(got, "ZUnable to sign the message: ") || !strings.Contains(got, want) {
				t.Errorf("%s: %q", script, got)
			}
			if runs() != n+1 {
				t.Errorf("%s: it is not tried again", script)
			}
		}
		os.WriteFile(filepath.Join(string(r.choice.control), unsigned), []byte("1\n"), 0o644)
		if got := deliver(t, r, 1, "a@far.test")[0]; got != "K|message\n" {
			t.Errorf("%s: it is to leave unsigned: %q", script, got)
		}
	}
	r := site(t, says)
	signs(t, r, "")
	os.Remove(filepath.Join(r.runner.Bin, signerProgram))
	const none = "ZUnable to sign the message: Unable to run qmail-dksign. (#4.7.0)\n"
	if got := deliver(t, r, 1, "a@far.test")[0]; got != none {
		t.Errorf("%q", got)
	}
}

func TestNothingIsSignedWhereNoFileAsksForIt(t *testing.T) {
	r := site(t, says)
	runs := signs(t, r, "exit 111")
	os.Remove(filepath.Join(string(r.choice.control), control.Signing))
	if got := deliver(t, r, 1, "a@far.test")[0]; got != "K|message\n" || runs() != 0 {
		t.Errorf("%q, %d runs", got, runs())
	}
}

func TestOnlySoManySignaturesAreRemembered(t *testing.T) {
	var s signer
	now := time.Unix(1e9, 0)
	for i := range 3 * maxSigned {
		if _, mine := s.begin(identity{ino: uint64(i)}, "", now); !mine {
			t.Fatal(i)
		}
		if len(s.known) > maxSigned {
			t.Fatalf("%d are remembered", len(s.known))
		}
	}
	last := identity{ino: 3*maxSigned - 1}
	if _, mine := s.begin(last, "", now.Add(signedAge-1)); mine {
		t.Error("the last one is forgotten")
	}
	if _, mine := s.begin(last, "", now.Add(signedAge)); !mine {
		t.Error("an old one is used")
	}
}
