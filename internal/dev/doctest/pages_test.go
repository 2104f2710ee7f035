package doctest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
	"qmail/internal/site/control"
	"qmail/internal/site/hier"
)

// programs returns everything that somebody can run.
func programs() []string {
	return slices.Concat(hier.Binaries(), hier.Tools(), hier.Scripts(), []string{"config", "config-fast"})
}

// pageOf returns the manual page of a program.
func pageOf(all map[string]string, program string) (string, bool) {
	for _, section := range []string{".1", ".8"} {
		if text, ok := all[program+section]; ok {
			return text, true
		}
	}
	return "", false
}

func TestEveryProgramHasAManualPageWithItsExitCodes(t *testing.T) {
	all := pages(t)
	for _, p := range programs() {
		text, ok := pageOf(all, p)
		if !ok {
			t.Errorf("%s has no manual page", p)
		} else if !strings.Contains(text, "\n.Sh EXIT STATUS\n") {
			t.Errorf("the page of %s lists no exit codes", p)
		}
	}
}

// TestThePageKnowsTheExitCodesOfTheContract compares the "exit" lines of a main's comment with the page.
func TestThePageKnowsTheExitCodesOfTheContract(t *testing.T) {
	all := pages(t)
	number := regexp.MustCompile(`\b\d{1,3}\b`)
	aside := regexp.MustCompile(`\(\d\)|descriptor \d|fd \d`)
	for _, p := range slices.Concat(hier.Binaries(), hier.Tools()) {
		comment, _, _ := strings.Cut(read(t, filepath.Join(top, "cmd", p, "main.go")), "\npackage main")
		var contract []string
		within := false
		for _, l := range strings.Split(comment, "\n") {
			l = strings.TrimPrefix(l, "//")
			begins := strings.HasPrefix(l, "\texit ")
			within = begins || within && strings.HasPrefix(l, "\t  ")
			if within {
				contract = append(contract, number.FindAllString(aside.ReplaceAllString(l, ""), -1)...)
			}
		}
		text, _ := pageOf(all, p)
		_, status, _ := strings.Cut(text, "\n.Sh EXIT STATUS\n")
		status, _, _ = strings.Cut(status, "\n.Sh ")
		told := number.FindAllString(status, -1)
		if len(contract) == 0 && !strings.Contains(comment, "\texit ") {
			t.Errorf("the comment of cmd/%s lists no exit codes", p)
		}
		for _, c := range contract {
			if !slices.Contains(told, c) {
				t.Errorf("%s exits %s, its page does not say so", p, c)
			}
		}
	}
}

func TestEveryControlFileIsInItsPagesAndNoOther(t *testing.T) {
	all := pages(t)
	summary := all["qmail-control.5"]
	item := regexp.MustCompile(`(?m)^\.It Pa ([a-z0-9._]+) Ta `)
	var listed []string
	for _, m := range item.FindAllStringSubmatch(summary, -1) {
		listed = append(listed, m[1])
	}
	known := map[string]bool{}
	for _, f := range control.Files() {
		known[f.Name] = true
		if !slices.Contains(listed, f.Name) {
			t.Errorf("qmail-control.5 does not list %s", f.Name)
		}
		for _, p := range strings.Fields(f.Readers) {
			if text, _ := pageOf(all, p); !mentions(text, f.Name) && !lends(all, text, f.Name) {
				t.Errorf("the page of %s does not mention control/%s, which it reads", p, f.Name)
			}
		}
	}
	for _, name := range listed {
		if !known[name] {
			t.Errorf("qmail-control.5 lists %s, which does not exist", name)
		}
	}
}

func TestTheDefaultsInTheManualPageAreThoseOfTheTable(t *testing.T) {
	summary := pages(t)["qmail-control.5"]
	for _, f := range control.Files() {
		want := "(none)"
		switch {
		case f.Name == "me":
			want = "(required)"
		case f.Kind == control.TextOrMe || f.Name == "locals":
			want = "Pa me"
		case f.Default != "" && (f.Kind == control.Text || f.Kind == control.Number):
			want = f.Default
		}
		if !strings.Contains(summary, "\n.It Pa "+f.Name+" Ta "+want+" Ta ") {
			t.Errorf("qmail-control.5 does not say that %s is normally %s", f.Name, want)
		}
	}
}

func TestEveryVariableIsInItsPagesAndNoOther(t *testing.T) {
	all := pages(t)
	known := map[string]bool{}
	for _, v := range control.Variables() {
		known[v.Name] = true
		for _, p := range slices.Concat(v.Readers, v.Setters) {
			text, _ := pageOf(all, p)
			if !mentions(text, v.Name) && !lends(all, text, v.Name) {
				t.Errorf("the page of %s does not mention the variable %s", p, v.Name)
			}
		}
	}
	for _, other := range []string{"MANPATH", "PATH", "TERM"} {
		known[other] = true
	}
	variable := regexp.MustCompile(`(?m)^\.(?:It |Op )?Ev (.*)$`)
	word := regexp.MustCompile(`\b[A-Z][A-Z0-9_]{2,}\b`)
	for name, text := range all {
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			for _, v := range word.FindAllString(m[1], -1) {
				if !known[v] {
					t.Errorf("%s speaks of a variable %s, which nothing reads or sets", name, v)
				}
			}
		}
	}
}

// lends reports whether a page sends the reader to one that lists a variable.
func lends(all map[string]string, text, name string) bool {
	for page, also := range map[string]string{
		"tcp-environ.5": ".Xr tcp-environ 5", "qmail-command.8": ".Xr qmail-command 8",
		"qmail-inject.8": ".Xr qmail-inject 8", "maildir2mbox.1": ".Xr maildir2mbox 1",
		"qmail-queue.8": ".Xr qmail-queue 8", "qmail-remote.8": ".Xr qmail-remote 8",
	} {
		if strings.Contains(text, also) && mentions(all[page], name) {
			return true
		}
	}
	return false
}

// mentions reports whether a text has a word.
func mentions(text, word string) bool {
	return regexp.MustCompile(`(^|[^a-zA-Z0-9_.-])` + regexp.QuoteMeta(word) + `($|[^a-zA-Z0-9_-])`).MatchString(text)
}

func TestTheManualPagesAreWellFormed(t *testing.T) {
	testqmail.Need(t, "mandoc")
	files, _ := filepath.Glob(filepath.Join(top, "docs/man/*.[1-8]"))
	out, err := exec.Command("mandoc", append([]string{"-T", "lint", "-W", "warning"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAReferenceToAPageLeadsToOne looks at "name(N)" in documents and at .Xr in pages.
func TestAReferenceToAPageLeadsToOne(t *testing.T) {
	all := pages(t)
	others := strings.Fields("inetd.8 fsck.8 date.1 sh.1 syslogd.8 sendmail.8 mail.1 biff.1 execve.2 procmail.1 " +
		"crypt.5 ctime.3 groups.1 tcpserver.1 flock.2 man.1 systemd.1 vacation.1")
	check := func(where, name, section string) {
		if _, ok := all[name+"."+section]; !ok && !slices.Contains(others, name+"."+section) {
			t.Errorf("%s refers to %s(%s), which does not exist", where, name, section)
		}
	}
	cross := regexp.MustCompile(`(?m)\bXr ([a-z0-9-]+) ([1-8])`)
	for name, text := range all {
		for _, m := range cross.FindAllStringSubmatch(text, -1) {
			check(name, m[1], m[2])
		}
	}
	plain := regexp.MustCompile(`(?:^|[^a-z0-9.-])([a-z][a-z0-9-]+)\(([1-8])\)`)
	for name, text := range documents(t) {
		for _, m := range plain.FindAllStringSubmatch(text, -1) {
			check(name, m[1], m[2])
		}
	}
}
