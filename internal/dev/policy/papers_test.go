package policy

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"qmail/conf"
)

// alternative begins the second of the licenses of which a module, libcap's psx, gives the choice; the first is taken.
var alternative = "\n" + strings.Repeat("-", 73) + "\nGPL v2.0:"

// TestEachLinkedModuleIsInNotices compares with the texts that the modules themselves bring.
func TestEachLinkedModuleIsInNotices(t *testing.T) {
	notices := document(t, "NOTICES")
	var named []string
	for l := range strings.Lines(notices) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(l), "== "); ok && !strings.HasPrefix(name, "Go itself") {
			named = append(named, name)
		}
	}
	linked := list(t, []string{"CGO_ENABLED=0"}, "-deps", "-f", `{{with .Module}}{{.Path}} {{.Dir}}{{end}}`, "./cmd/...")
	slices.Sort(linked)
	for _, l := range slices.Compact(linked) {
		module, dir, _ := strings.Cut(l, " ")
		if module == "" || module == "qmail" {
			continue
		}
		if !slices.Contains(named, module) {
			t.Errorf("NOTICES does not name %s", module)
		}
		named = slices.DeleteFunc(named, func(n string) bool { return n == module })
		found := 0
		for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "License", "COPYING", "NOTICE", "PATENTS"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			found++
			text, _, _ = bytes.Cut(text, []byte(alternative))
			if !strings.Contains(notices, string(bytes.Trim(text, "\n"))) {
				t.Errorf("NOTICES does not have the %s of %s", name, module)
			}
		}
		if found == 0 {
			t.Errorf("%s has no license that this test knows by name", module)
		}
	}
	for _, n := range named {
		t.Errorf("NOTICES names %s, which no program links", n)
	}
}

func TestTheVersionIsTheOneThatChangesAndTheReadmeName(t *testing.T) {
	v := conf.Version()
	_, first, _ := strings.Cut(document(t, "CHANGES.md"), "\n## ")
	if got, _, _ := strings.Cut(first, "\n"); got != v && !strings.HasPrefix(got, v+", ") {
		t.Errorf("CHANGES.md begins with %q, conf/VERSION is %q", got, v)
	}
	if !strings.Contains(document(t, "README.md"), "Version "+v) {
		t.Errorf("README.md does not say that this is %s", v)
	}
}

// files lists the files of the tree, below the top, whose names end so. What make builds is left out.
func files(t *testing.T, ending string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("../../..", func(path string, d fs.DirEntry, err error) error {
		path = strings.TrimPrefix(path, "../../../")
		if d != nil && d.IsDir() && (path == "build" || path == ".git") {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ending) {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatal("no files end in", ending, err)
	}
	return found
}

func TestALineOfCodeFitsInAWindow(t *testing.T) {
	for _, f := range files(t, ".go") {
		n := 0
		for l := range strings.Lines(document(t, f)) {
			n++
			if width := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); width > 120 {
				t.Errorf("%s:%d has %d characters, more than 120", f, n, width)
			}
		}
	}
}

// TestALineOfADocumentFitsBesideAnother leaves out what cannot be wrapped: tables, code, and the comments that hold
// commands for doctest.
func TestALineOfADocumentFitsBesideAnother(t *testing.T) {
	for _, f := range files(t, ".md") {
		n, fence := 0, false
		for l := range strings.Lines(document(t, f)) {
			n++
			bare := strings.TrimSpace(l)
			if strings.HasPrefix(bare, "```") {
				fence = !fence
			}
			if fence || strings.HasPrefix(bare, "|") || strings.HasPrefix(bare, "<!--") || strings.HasPrefix(l, "    ") {
				continue
			}
			if width := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); width > 100 {
				t.Errorf("%s:%d has %d characters, more than 100", f, n, width)
			}
		}
	}
}
