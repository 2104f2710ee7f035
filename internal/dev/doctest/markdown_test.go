// Package doctest holds the documents to the code: their links lead somewhere, what they name exists, what exists is
// documented, and the commands that they show as tested work.
//
// A fenced block that begins with "```sh tested" is run by /bin/sh -e on a system of its own, as root or, after
// "as USER", as that user in the home directory. Comments near it are seen by the test only:
//
//	<!-- first: COMMAND -->   run as root before the next block, to set the stage
//	<!-- check: COMMAND -->   run as root after the block, again and again until it succeeds: else the test fails
//	<!-- restart -->          qmail is stopped and started here, as the text says
//
// The control files, aliases, homes, queue and log are fresh at each heading.
package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// top is the source tree.
const top = "../../.."

// A step is one thing to do of a document.
type step struct {
	kind    string // first, run, check, restart
	user    string // run: empty for root
	command string
	line    int
}

// A section is a heading and the steps below it.
type section struct {
	title string
	steps []step
}

// sections reads the steps of a document.
func sections(text string) []section {
	comment := regexp.MustCompile(`^\s*<!-- (first|check|restart)(?:: (.*))? -->$`)
	block := regexp.MustCompile("^( *)```sh tested(?: as ([a-z]+))?$")
	list := []section{{}}
	now := func() *section { return &list[len(list)-1] }
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		if m := comment.FindStringSubmatch(l); m != nil {
			now().steps = append(now().steps, step{kind: m[1], command: m[2], line: i + 1})
			continue
		}
		if m := block.FindStringSubmatch(l); m != nil {
			s := step{kind: "run", user: m[2], line: i + 1}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
				s.command += strings.TrimPrefix(lines[i], m[1]) + "\n"
			}
			now().steps = append(now().steps, s)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(l), "```") {
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			}
			continue
		}
		if title := strings.TrimLeft(l, "#"); title != l && strings.HasPrefix(title, " ") {
			list = append(list, section{title: title[1:]})
		}
	}
	return list
}

// documents returns every document of the tree, its path below the top and its text.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			all[strings.TrimPrefix(f, top+"/")] = read(t, f)
		}
	}
	return all
}

// pages returns every manual page, "name.section" and its text.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, "docs/man/*.[1-8]"))
	if err != nil || len(files) == 0 {
		t.Fatal("no manual pages", err)
	}
	all := map[string]string{}
	for _, f := range files {
		all[filepath.Base(f)] = read(t, f)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exists reports whether a file of the tree exists.
func exists(path string) bool {
	_, err := os.Stat(filepath.Join(top, path))
	return err == nil
}
