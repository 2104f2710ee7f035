package policy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qmail/internal/site/control"
	"qmail/internal/site/hier"
)

func document(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile("../../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryProgramIsDescribed(t *testing.T) {
	text := document(t, "docs/PROGRAMS.md")
	for _, p := range slices.Concat(hier.Binaries(), hier.Tools(), hier.Scripts()) {
		if !strings.Contains(text, "| "+p+" |") {
			t.Errorf("docs/PROGRAMS.md does not describe %s", p)
		}
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	text := document(t, "docs/PROGRAMS.md")
	known := slices.Concat(hier.Binaries(), hier.Scripts())
	for _, v := range control.Variables() {
		if !strings.Contains(text, "`"+v.Name+"`") {
			t.Errorf("docs/PROGRAMS.md does not describe the variable %s: %s", v.Name, v.About)
		}
		for _, p := range slices.Concat(v.Readers, v.Setters) {
			if !slices.Contains(known, p) {
				t.Errorf("%s is read or set by %s, which does not exist", v.Name, p)
			}
		}
	}
}

func TestTheTableOfControlFilesNamesProgramsThatExist(t *testing.T) {
	known := hier.Binaries()
	seen := map[string]bool{}
	for _, f := range control.Files() {
		if seen[f.Name] || f.About == "" || f.Readers == "" {
			t.Errorf("%s: twice in the table, or not described", f.Name)
		}
		seen[f.Name] = true
		for _, p := range strings.Fields(f.Readers) {
			if !slices.Contains(known, p) {
				t.Errorf("%s is read by %s, which does not exist", f.Name, p)
			}
		}
	}
}

// TestEveryControlFileThatIsReadIsInTheTable looks for the names in calls of package control.
func TestEveryControlFileThatIsReadIsInTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range control.Files() {
		seen[f.Name] = true
	}
	call := regexp.MustCompile(`\.(?:Line|Text|Int|List)\((?:dir, )?"([a-z0-9.]+)"`)
	for _, s := range sources(t) {
		if s.in == "cmd/qmail-pw2u" { // it reads users/
			continue
		}
		for _, m := range call.FindAllStringSubmatch(document(t, s.path), -1) {
			if !seen[m[1]] {
				t.Errorf("%s reads control/%s, which is not in the table", s.path, m[1])
			}
		}
	}
}

func TestNoDocumentPointsNowhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	files, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, "../../../README.md", "../../../INSTALL.md") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(f), m[1])); err != nil {
				t.Errorf("%s points to %s, which does not exist", f, m[1])
			}
		}
	}
}

func TestEveryManualPageIsOfSomethingThatExists(t *testing.T) {
	known := slices.Concat(hier.Binaries(), hier.Scripts(), hier.Tools(),
		[]string{"config", "config-fast", "mailq", "newaliases", "qmail-command"})
	pages, _ := filepath.Glob("../../../docs/man/*.[18]")
	for _, p := range pages {
		name := strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))
		if !slices.Contains(known, name) {
			t.Errorf("%s is the page of no program", p)
		}
	}
}
