//go:build linux

package services

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/site/hier"
)

// optional are the programs that have options, beside those whose wrong option is a command that they run.
var optional = []string{"install", "preline", "qmail-dkimkey", "qmail-doctor", "qmail-hold", "qmail-local", "qmail-log",
	"qmail-newauth", "qmail-qread", "qmail-release", "qmail-rm", "qmail-run", "qmail-stats",
	"qmail-tlsfront", "queue-fix", "sendmail"}

func TestHelpIsTheUsageAndStartsNothing(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	// Even the configuration of this place is left alone, with a name or without.
	tree := "cd " + conf.Home() + "; find . -type f -printf '%p %T@ %s\n' | sort"
	before := sh(t, tree)
	empty := t.TempDir()
	call := func(name, option string) {
		path := filepath.Join(conf.Home(), "bin", name)
		if slices.Contains(hier.Tools(), name) {
			path = filepath.Join(source, "build/bin", name)
		} else if !slices.Contains(hier.Binaries(), name) && !slices.Contains(hier.Scripts(), name) {
			path = filepath.Join(source, name)
		}
		cmd := exec.Command(path, option)
		cmd.Dir, cmd.Env = empty, []string{"PATH=/usr/bin:/bin", "HOME=" + empty, "MAIL=m", "MAILDIR=d", "MAILTMP=t"}
		var out, mistakes strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &mistakes
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 100 || option == "--help" && out.Len() > 0 ||
			!strings.Contains(out.String()+mistakes.String(), "usage: "+name) {
			t.Errorf("%s %s: %v\nfd 1: %s\nfd 2: %s", name, option, err, &out, &mistakes)
		}
	}
	for _, name := range slices.Concat(hier.Binaries(), hier.Tools(), hier.Scripts(), []string{"config", "config-fast"}) {
		call(name, "--help")
	}
	for _, name := range optional {
		call(name, "-!")
	}
	if made, _ := os.ReadDir(empty); len(made) > 0 {
		t.Errorf("there is %s now", made[0].Name())
	}
	if after := sh(t, tree); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, l := range links {
		if to, _ := os.Readlink(l); strings.HasPrefix(to, conf.Home()+"/bin/") {
			t.Errorf("%s runs", to)
		}
	}
}
