package policy

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func lines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile("../../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

func TestNothingIsLeftToBeDone(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, m := range marks {
				if strings.Contains(group.Text(), m) {
					t.Errorf("%s: %s", s.path, m)
				}
			}
		}
	}
}

func TestTheSourceIsFormatted(t *testing.T) {
	cmd := exec.Command("gofmt", "-l", "conf", "cmd", "internal")
	cmd.Dir = "../../.."
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v\n%s", err, out)
	}
}
