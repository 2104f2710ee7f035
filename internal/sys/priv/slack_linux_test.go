package priv

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/sys"
)

func TestAChildHasItsSlackAndWeKeepOurs(t *testing.T) {
	before := sys.Slack()
	for _, slack := range []time.Duration{sys.UsualSlack, sys.DaemonSlack, sys.WorkerSlack} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p, err := Start(Child{
			Path: "/bin/cat", Args: []string{"cat", "/proc/self/timerslack_ns"},
			Files: []*os.File{os.Stdin, w, os.Stderr}, Slack: slack,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		p.Wait()
		if got, err := time.ParseDuration(strings.TrimSpace(string(b)) + "ns"); err != nil || got != slack {
			t.Errorf("the child has %q, not %v", b, slack)
		}
	}
	if after := sys.Slack(); after != before {
		t.Errorf("our slack was %v and is %v", before, after)
	}
}
