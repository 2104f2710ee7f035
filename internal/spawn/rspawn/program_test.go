package rspawn

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/spawn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

func TestQmailTlsremoteSendsWhereAFileAsksForIt(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, f := range []string{"tlsroutes", "authsenders", "clientcert.pem"} {
		dir := t.TempDir()
		c := choice{control: control.Dir(dir)}
		if got, _ := c.program(now); got != plain {
			t.Errorf("without a file: %s", got)
		}
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := c.program(now.Add(lookAge - 1)); got != plain {
			t.Errorf("%s: it was looked at for each delivery", f)
		}
		if got, _ := c.program(now.Add(lookAge)); got != secret {
			t.Errorf("%s: %s", f, got)
		}
		os.Remove(filepath.Join(dir, f))
		if got, _ := c.program(now.Add(-time.Hour)); got != plain {
			t.Errorf("%s is gone, and a clock that was set back: %s", f, got)
		}
	}
	c := choice{control: control.Dir(filepath.Join(t.TempDir(), "a\x00b"))}
	if got, _ := c.program(now); got != secret {
		t.Errorf("what could not be looked at was taken for absent: %s", got)
	}
}

func TestAQmailTlsremoteThatDoesNotEndWellBouncesNothing(t *testing.T) {
	for _, code := range []exit.Code{1, 2, exit.Perm, exit.Temp, 127} {
		e := read(spawn.Outcome{Code: code}, secret, 1)[0]
		if e.kind != report.Deferral || string(e.text) != "Unable to run qmail-tlsremote.\n" {
			t.Errorf("%d: %c %q", code, e.kind, e.text)
		}
	}
}
