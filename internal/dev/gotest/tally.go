package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An event is a line of go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// A tally has what the tests said that have not ended, and what became of those that have.
type tally struct {
	out                     io.Writer
	said                    map[string][]line // by package: tests that passed are not in it
	passed, failed, skipped int
	left                    map[string][]string // by reason, "package test"
}

type line struct{ test, text string }

func newTally(out io.Writer) *tally {
	return &tally{out: out, said: map[string][]line{}, left: map[string][]string{}}
}

func (t *tally) take(e event) {
	switch e.Action {
	case "build-output":
		io.WriteString(t.out, e.Output)
	case "output":
		t.said[e.Package] = append(t.said[e.Package], line{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.print(e.Package)
			return
		}
		t.end(e)
	}
}

// end counts a test, and forgets what it said unless it has failed.
func (t *tally) end(e event) {
	switch e.Action {
	case "fail":
		t.failed++
		return
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		why := reason(t.said[e.Package], e.Test)
		t.left[why] = append(t.left[why], e.Package+" "+e.Test)
	}
	t.said[e.Package] = slices.DeleteFunc(t.said[e.Package], func(l line) bool { return l.test == e.Test })
}

// print prints what a package has left to say at its end: of each test that failed or never ended, and its own verdict.
func (t *tally) print(name string) {
	for _, l := range t.said[name] {
		if mark := strings.TrimLeft(l.text, " \x16"); !strings.HasPrefix(mark, "=== ") && mark != "PASS\n" {
			io.WriteString(t.out, l.text)
		}
	}
	delete(t.said, name)
}

// reason is what a test said that was left out: "file_test.go:12: needs root".
func reason(said []line, test string) string {
	var words []string
	for _, l := range said {
		text := strings.Trim(l.text, " \x16\n")
		if l.test == test && text != "" && !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- ") {
			if before, after, ok := strings.Cut(text, ": "); ok && strings.Contains(before, ".go:") {
				text = after
			}
			words = append(words, text)
		}
	}
	if words == nil {
		return "no reason given"
	}
	return strings.Join(words, " ")
}

// close says what was left out, and how many tests there were.
func (t *tally) close() {
	for name := range t.said {
		t.print(name)
	}
	for _, why := range slices.Sorted(maps.Keys(t.left)) {
		fmt.Fprintf(t.out, "\nLeft out: %s\n", why)
		slices.Sort(t.left[why])
		for _, test := range t.left[why] {
			fmt.Fprintln(t.out, "  "+test)
		}
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}
