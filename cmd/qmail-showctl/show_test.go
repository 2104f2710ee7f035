package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/sys/passwd"
)

func TestTheHeadingSaysWhatLandlockDoesAndEndsInTheVersion(t *testing.T) {
	for landlock, says := range map[int]string{0: "This kernel has no Landlock.", 5: "Landlock 5 confines qmail-pop3d,"} {
		var b strings.Builder
		out := bufio.NewWriter(&b)
		heading(out, "/var/qmail", passwd.IDs{NoFiles: 2108}, landlock)
		out.Flush()
		if !strings.HasSuffix(b.String(), ". This is qmail in Go "+conf.Version()+".\n") ||
			!strings.Contains(b.String(), ", 2108. "+says) {
			t.Errorf("%q", b.String())
		}
		if strings.Count(b.String(), "\n") != 2 {
			t.Errorf("%q is not the two lines of 1.02", b.String())
		}
	}
}

func TestACRAtTheEndOfALineIsSaidAndNotShown(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "locals"), []byte("a.test\r\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "me"), []byte("m.test \n"), 0o644)
	var b strings.Builder
	out := bufio.NewWriter(&b)
	oops := show(out, control.Dir(dir))
	out.Flush()
	locals := "\nlocals: \nMessages for a.test are delivered locally.\n" + hasCR
	for _, want := range []string{locals, "\nme: My name is m.test.\n\n"} {
		if !strings.Contains(b.String(), want) || oops != "" {
			t.Errorf("no %q in %s%s", want, b.String(), oops)
		}
	}
}

func TestAPasswordIsNotShownAndItIsToldWhoCanReadIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "smtproutes")
	os.WriteFile(path, []byte(":smtp.provider.example:587 joe@provider.example secret\n"), 0o644)
	for mode, told := range map[os.FileMode]bool{0o644: true, 0o640: false} {
		os.Chmod(path, mode)
		var b strings.Builder
		out := bufio.NewWriter(&b)
		show(out, control.Dir(dir))
		out.Flush()
		want := "\nsmtproutes: \nSMTP route: :smtp.provider.example:587 joe@provider.example (password)\n"
		if !strings.Contains(b.String(), want) ||
			strings.Contains(b.String(), "secret") || strings.Contains(b.String(), "Everybody can read") != told {
			t.Errorf("mode %o: %s", mode, b.String())
		}
	}
}
