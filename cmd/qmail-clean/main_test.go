package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/text/exit"
)

// tree makes a queue with the named files, each an hour old, or two days when its name ends in "old".
func tree(t *testing.T, files ...string) string {
	dir := t.TempDir()
	for i := range conf.Split() {
		os.MkdirAll(filepath.Join(dir, "mess", strconv.FormatUint(i, 10)), 0o755)
	}
	for _, d := range []string{"pid", "intd", "todo"} {
		os.Mkdir(filepath.Join(dir, d), 0o755)
	}
	for _, f := range files {
		path := filepath.Join(dir, f)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Hour)
		if strings.HasSuffix(f, "old") {
			at = time.Now().Add(-48 * time.Hour)
		}
		os.Chtimes(path, at, at)
	}
	return dir
}

func left(dir string) string {
	var names []string
	for _, pattern := range []string{"intd/*", "mess/*/*", "pid/*", "todo/*"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range found {
			rel, _ := filepath.Rel(dir, f)
			names = append(names, rel)
		}
	}
	return strings.Join(names, " ")
}

func TestRequestsRemoveTheirFilesAndNoOthers(t *testing.T) {
	for _, c := range []struct{ requests, answers, left string }{
		{"", "", "intd/7 mess/7/30 mess/7/7 todo/30 todo/7"},
		{"foop/7\x00", "+", "mess/7/30 todo/30 todo/7"},
		{"todo/7\x00", "+", "mess/7/30 mess/7/7 todo/30"},
		{"todo/7\x00foop/7\x00", "++", "mess/7/30 todo/30"},
		{"foop/9\x00", "+", "intd/7 mess/7/30 mess/7/7 todo/30 todo/7"},
		{"foop/7", "", "intd/7 mess/7/30 mess/7/7 todo/30 todo/7"},
		{"foop/\x00bar/77\x00", "xx", "intd/7 mess/7/30 mess/7/7 todo/30 todo/7"},
		{strings.Repeat("foop/9\x00", 600), strings.Repeat("+", 600), "intd/7 mess/7/30 mess/7/7 todo/30 todo/7"},
	} {
		dir := tree(t, "mess/7/7", "intd/7", "todo/7", "mess/7/30", "todo/30")
		var answers bytes.Buffer
		code := clean(queue.Open(dir, nil), strings.NewReader(c.requests), &answers, time.Now)
		if code != exit.OK || answers.String() != c.answers || left(dir) != c.left {
			t.Errorf("%.20q: exit %d, %.20q, left %s", c.requests, code, answers.String(), left(dir))
		}
	}
}

func TestOnlyWhatNobodyCanStillBeWritingIsTidiedAway(t *testing.T) {
	dir := tree(t, "pid/1.2.old", "pid/1.2.3", "intd/7", "mess/8/8", "intd/8", "intd/x")
	clean(queue.Open(dir, nil), strings.NewReader(""), &bytes.Buffer{}, time.Now)
	if got, want := left(dir), "intd/8 intd/x mess/8/8 pid/1.2.3"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

func TestAFileThatCannotBeRemovedIsTrouble(t *testing.T) {
	dir := tree(t)
	if err := os.Mkdir(filepath.Join(dir, "todo/7"), 0o755); err != nil {
		t.Fatal(err)
	}
	var answers bytes.Buffer
	clean(queue.Open(dir, nil), strings.NewReader("todo/7\x00"), &answers, time.Now)
	if answers.String() != "!" {
		t.Errorf("%q", answers.String())
	}
}
