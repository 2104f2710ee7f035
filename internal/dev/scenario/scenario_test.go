// Package scenario plays testdata/scenarios/*.txtar, each in a world of its own: see README.md there for the commands.
package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

const storyVariable = "QMAIL_SCENARIO"

func TestScenarios(t *testing.T) {
	if err := testqmail.Possible(); err != nil {
		testqmail.Skip(t, err.Error())
	}
	stories, err := filepath.Glob("../../../testdata/scenarios/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txtar"), func(t *testing.T) {
			t.Parallel()
			out, err := testqmail.Run([]string{"-test.run=^TestInAWorld$", "-test.v", "-test.timeout=5m"},
				storyVariable+"="+story)
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestInAWorld is what TestScenarios starts in a world; by itself it does nothing.
func TestInAWorld(t *testing.T) {
	story := os.Getenv(storyVariable)
	if story == "" {
		return
	}
	if !testqmail.Inside(t) {
		t.Fatal("not in a world")
	}
	s := &system{}
	testscript.Run(t, testscript.Params{
		Files: []string{story}, Cmds: s.commands(), WorkdirRoot: "/run/home",
		Setup: func(e *testscript.Env) error {
			e.Defer(s.end)
			return os.Chmod(e.WorkDir, 0o755)
		},
	})
}
