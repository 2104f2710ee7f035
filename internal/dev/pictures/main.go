// Pictures draws how a message travels: for each docs/PIC.NAME.md it writes docs/PIC.NAME.svg, from the table in it.
// They need no scripts and no network.
//
//	usage  go run ./internal/dev/pictures (in the source tree)
//	exit   0; 1 when a page cannot be read or drawn
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"qmail/internal/dev/testqmail"
)

func main() {
	top, err := testqmail.Source()
	if err == nil {
		err = drawAll(filepath.Join(top, "docs"), func(path string, svg []byte) error {
			return os.WriteFile(path, svg, 0o644)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// drawAll gives the picture of each page of a folder to put.
func drawAll(folder string, put func(path string, svg []byte) error) error {
	pages, err := filepath.Glob(filepath.Join(folder, "PIC.*.md"))
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return fmt.Errorf("%s has no pages to draw", folder)
	}
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		page, err := parse(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if err := put(strings.TrimSuffix(p, ".md")+".svg", page.draw()); err != nil {
			return err
		}
	}
	return nil
}

// A page is what is drawn: a title, a sentence and the steps.
type page struct {
	title, sentence string
	steps           []step
}

// A step is one row of the table.
type step struct{ program, user, touches, what string }

// parse reads a page. The sentence is its second paragraph, the table its only one.
func parse(text string) (page, error) {
	var p page
	for _, l := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(l, "# "):
			p.title = strings.TrimPrefix(l[2:], "PIC: ")
		case strings.HasPrefix(l, "| "):
			cells := strings.Split(strings.Trim(l, "|"), "|")
			if len(cells) != 4 {
				return p, fmt.Errorf("not four columns: %s", l)
			}
			for i := range cells {
				cells[i] = strings.ReplaceAll(strings.Trim(cells[i], " "), "`", "")
			}
			if cells[0] != "Program" && cells[0] != "---" {
				p.steps = append(p.steps, step{cells[0], cells[1], cells[2], cells[3]})
			}
		case p.sentence == "" && l != "" && p.title != "":
			p.sentence = strings.ReplaceAll(l, "`", "")
		}
	}
	if p.title == "" || len(p.steps) == 0 {
		return p, fmt.Errorf("no title, or no steps")
	}
	return p, nil
}
