package scenario

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// testscript prefers its own commands to ours, without a word. Where one of its has the name of one of ours, a
// story that passes may have played nothing: "stop", for one, ends a script with success.
func TestTestscriptHasNoCommandOfTheNameOfOneOfOurs(t *testing.T) {
	for name := range (&system{}).commands() {
		called := false
		ours := map[string]func(*script, bool, []string){name: func(*script, bool, []string) { called = true }}
		file := filepath.Join(t.TempDir(), name+".txtar")
		if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		testscript.RunT(quiet{t}, testscript.Params{Files: []string{file}, Cmds: ours})
		if !called {
			t.Errorf("%s is a command of testscript's: give ours another name", name)
		}
	}
}

// quiet is a test that takes no offence: what testscript makes of its own command of the name does not matter.
type quiet struct{ *testing.T }

func (q quiet) Skip(...any)                          {}
func (q quiet) Fatal(...any)                         {}
func (q quiet) FailNow()                             {}
func (q quiet) Log(...any)                           {}
func (q quiet) Parallel()                            {}
func (q quiet) Verbose() bool                        { return false }
func (q quiet) Run(_ string, f func(t testscript.T)) { f(q) }
