package rcptcheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
)

func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAProgramSaysWhoIsARecipient(t *testing.T) {
	check := program(t, `test "$SENDER" = a@b.test && test "$HELO" = h || exit 7
case "$RECIPIENT" in
ann@*) exit 0;; odd@*) exit 3;; gone@*) exit 100;; later@*) exit 111;; broken@*) exit 120;; dead@*) kill -9 $$;; esac`)
	dir := control.Dir(t.TempDir())
	lines := "bin/true x\n" + check + "\n"
	if err := os.WriteFile(filepath.Join(string(dir), "rcptchecks"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir, []string{"SENDER=forged", "PATH=/bin:/usr/bin"}, "/")
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{
		"ann": "", "odd": "", "gone": "553 ", "later": "451 ", "broken": "451 ", "dead": "451 ",
	} {
		v := smtpd.Visit{Sender: "a@b.test", Helo: "h", Recipient: user + "@m.test"}
		if got := d.Admit(smtpd.AtRcpt, &v); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q", user, got)
		}
		v.Relays = true
		if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
			t.Errorf("%s is checked for a client who may relay: %q", user, got)
		}
	}
}

func TestAProgramThatHangsOrIsNotThereHasTheClientComeAgain(t *testing.T) {
	v := smtpd.Visit{Recipient: "ann@m.test"}
	for _, path := range []string{program(t, "sleep 1000 & sleep 1000"), "/no/such/program"} {
		d, err := Open(control.Dir(t.TempDir()), []string{"RCPTCHECK=" + path, "PATH=/bin:/usr/bin"}, "/")
		if err != nil {
			t.Fatal(err)
		}
		d.within = 200 * time.Millisecond
		if got := d.Admit(smtpd.AtRcpt, &v); !strings.HasPrefix(got, "451 ") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestWithoutProgramsThereIsNoDoor(t *testing.T) {
	dir := control.Dir(t.TempDir())
	if d, err := Open(dir, nil, "/"); d != nil || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
	if err := os.WriteFile(filepath.Join(string(dir), "rcptchecks"), []byte("/bin/false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(dir, []string{"RCPTCHECK="}, "/"); d != nil || err != nil {
		t.Errorf("an empty RCPTCHECK: %+v, %v", d, err)
	}
}
