package doctest

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qmail/internal/site/control"
	"qmail/internal/site/hier"
)

func TestEveryDocumentIsOnTheShelf(t *testing.T) {
	shelf := read(t, filepath.Join(top, "docs/README.md"))
	for path := range documents(t) {
		name := strings.TrimPrefix(path, "docs/")
		if name == path {
			name = "../" + path
		}
		if path != "docs/README.md" && !strings.Contains(shelf, "]("+name+")") {
			t.Errorf("docs/README.md does not have %s", path)
		}
	}
}

func TestALinkLeadsSomewhere(t *testing.T) {
	docs := documents(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for path, text := range docs {
		for _, m := range link.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			file := path
			if to != "" {
				file = filepath.Join(filepath.Dir(path), to)
			}
			if !exists(file) {
				t.Errorf("%s points to %s, which does not exist", path, m[1])
			} else if anchor != "" && !slices.Contains(anchors(docs[file]), anchor) {
				t.Errorf("%s points to %s, which has no such heading", path, m[1])
			}
		}
	}
}

// anchors returns the names of a document's headings, as renderers of Markdown make them.
func anchors(text string) []string {
	var list []string
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	for _, l := range strings.Split(text, "\n") {
		if title := strings.TrimLeft(l, "#"); title != l && strings.HasPrefix(title, " ") {
			name := drop.ReplaceAllString(strings.ToLower(title[1:]), "")
			list = append(list, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return list
}

// everything returns the documents and the pages.
func everything(t *testing.T) map[string]string {
	all := documents(t)
	for name, text := range pages(t) {
		all["docs/man/"+name] = text
	}
	return all
}

func TestNoDocumentNamesAControlFileThatDoesNotExist(t *testing.T) {
	known := []string{"morercpthosts.tmp"}
	for _, f := range control.Files() {
		known = append(known, f.Name)
	}
	name := regexp.MustCompile(`\bcontrol/(srs_[a-z]+|[a-z][a-z0-9.]*[a-z0-9])`)
	for path, text := range everything(t) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s names control/%s, which does not exist", path, m[1])
			}
		}
	}
}

func TestNoDocumentNamesAProgramThatDoesNotExist(t *testing.T) {
	known := append(programs(), "qmail-spp") // a patch to qmail of others, whose plugins run here
	for name := range pages(t) {
		known = append(known, strings.TrimSuffix(name, filepath.Ext(name)))
	}
	name := regexp.MustCompile(`(?:^|[^a-zA-Z0-9/.~-])((?:qmail|queue)-[a-z0-9]+)\b`)
	installed := regexp.MustCompile(`(?:/var/qmail|\bbuild)/bin/([a-z][a-z0-9-]*)`)
	for path, text := range everything(t) {
		found := name.FindAllStringSubmatch(text, -1)
		found = append(found, installed.FindAllStringSubmatch(text, -1)...)
		for _, m := range found {
			if !slices.Contains(known, m[1]) && !slices.Contains(known, strings.TrimSuffix(m[1], "s")) {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}
}

func TestEveryStartScriptIsDocumented(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(top, "boot/*"))
	docs := everything(t)
	for _, f := range files {
		name, found := filepath.Base(f), false
		for _, text := range docs {
			found = found || mentions(text, name) || strings.HasSuffix(name, "+df") && strings.Contains(text, "+df")
		}
		if !found {
			t.Errorf("no document mentions boot/%s", name)
		}
	}
}

func TestEveryBuildChoiceIsDocumented(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(top, "conf/conf-*"))
	docs := everything(t)
	for _, f := range files {
		name, found := filepath.Base(f), false
		for _, text := range docs {
			found = found || mentions(text, name) || strings.Contains(text, "conf/"+name)
		}
		if !found {
			t.Errorf("no document mentions conf/%s", name)
		}
	}
}

func TestTheManualPagesAreInstalledOnceEach(t *testing.T) {
	if len(hier.Binaries()) != len(unique(hier.Binaries())) {
		t.Error("internal/site/hier has a program twice")
	}
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// code returns what a document shows as code: spans in backquotes and lines that are indented or fenced.
func code(text string) []string {
	var list []string
	fence := false
	span := regexp.MustCompile("`([^`\n]+(?:\n[^`\n]+)?)`")
	for _, paragraph := range strings.Split(text, "\n\n") {
		var prose []string
		for _, l := range strings.Split(paragraph, "\n") {
			switch {
			case strings.HasPrefix(strings.TrimSpace(l), "```"):
				fence = !fence
			case fence || strings.HasPrefix(l, "    "):
				list = append(list, l)
			default:
				prose = append(prose, l)
			}
		}
		for _, m := range span.FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
			list = append(list, strings.ReplaceAll(m[1], "\n", " "))
		}
	}
	return list
}

func TestEveryMakeTargetThatADocumentNamesExists(t *testing.T) {
	makefile := read(t, filepath.Join(top, "Makefile"))
	use := regexp.MustCompile(`(?:^|[^a-z-])make ((?:[a-z][a-z-]* ?)+)`)
	for path, text := range documents(t) {
		for _, c := range code(text) {
			c, _, _ = strings.Cut(c, "#")
			c, _, _ = strings.Cut(c, "  ")
			for _, m := range use.FindAllStringSubmatch(strings.TrimLeft(c, " "), -1) {
				for _, target := range strings.Fields(m[1]) {
					if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
						t.Errorf("%s: there is no make %s", path, target)
					}
				}
			}
		}
	}
}

func TestEveryPlaceInTheTreeThatADocumentNamesExists(t *testing.T) {
	place := regexp.MustCompile(
		`(?:^|[ (./])((?:internal|cmd|conf|boot|scripts|testdata)/[A-Za-z0-9+._/-]*[A-Za-z0-9+_-])`)
	for path, text := range documents(t) {
		for _, c := range code(text) {
			for _, m := range place.FindAllStringSubmatch(c, -1) {
				if at := strings.Index(m[1], "NAME"); at >= 0 {
					m[1] = m[1][:at]
				}
				if !exists(m[1]) {
					t.Errorf("%s names %s, which does not exist", path, m[1])
				}
			}
		}
	}
}

// TestEveryAlertAndWarningIsExplained looks for the first words of each, as they are in the source.
func TestEveryAlertAndWarningIsExplained(t *testing.T) {
	var beginnings []string // of the texts in the table, up to their dots
	for _, l := range strings.Split(read(t, filepath.Join(top, "docs/FAQ.md")), "\n") {
		if strings.HasPrefix(l, "| `alert: ") || strings.HasPrefix(l, "| `warning: ") {
			for _, c := range code(strings.Split(l, " | ")[0]) {
				c = strings.TrimPrefix(strings.TrimPrefix(c, "alert: "), "warning: ")
				c = strings.TrimPrefix(c, "cannot start: ")
				if c, _, _ = strings.Cut(c, "..."); c != "" {
					beginnings = append(beginnings, c)
				}
			}
		}
	}
	call := regexp.MustCompile(`(?:\.alert|\.warning|what: *|what = |cannot)\(?(?:err, )?"([^"]+)`)
	files, _ := filepath.Glob(filepath.Join(top, "internal/send/*.go"))
	found := 0
	for _, f := range append(files, filepath.Join(top, "cmd/qmail-send/main.go")) {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(read(t, f), -1) {
			found++
			explained := func(b string) bool { return strings.HasPrefix(m[1], b) || strings.HasPrefix(b, m[1]) }
			if !slices.ContainsFunc(beginnings, explained) {
				t.Errorf("docs/FAQ.md does not explain %q of %s", m[1], filepath.Base(f))
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d texts were found: is the source written otherwise now?", found)
	}
}
