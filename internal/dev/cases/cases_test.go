package cases

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

var only = flag.String("case", "", "run only the recorded cases whose id has this in it")

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// worlds is in how many worlds the cases run side by side: they wait more than they compute.
const worlds = 4

// A result is what became of a case in its world.
type result struct {
	ID, Trouble string
	Took        time.Duration
}

func TestTheProgramsDoWhatTheRecordedCasesSay(t *testing.T) {
	if err := testqmail.Possible(); err != nil {
		testqmail.Skip(t, err.Error())
	}
	all, err := Load("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	base, err := testqmail.Installed()
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan result)
	ended := make(chan error)
	for w := range worlds {
		go func() { ended <- runWorld(base, w, results) }()
	}
	got := map[string]result{}
	for left := worlds; left > 0; {
		select {
		case r := <-results:
			got[r.ID] = r
		case err := <-ended:
			left--
			if err != nil {
				t.Errorf("a world ended early: %v", err)
			}
		}
	}
	for _, c := range all {
		if !strings.Contains(c.ID, *only) {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			r, ran := got[c.ID]
			if !ran {
				t.Fatal("did not run")
			}
			t.Logf("took %v", r.Took)
			if r.Trouble != "" {
				t.Errorf("%s\n%s", c.Note, r.Trouble)
			}
		})
	}
}

// runWorld runs TestInAWorld in world w and passes on its results.
func runWorld(base string, w int, results chan<- result) error {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestInAWorld$", "-test.timeout=9m", "-case="+*only)
	cmd.Env = append(os.Environ(), fmt.Sprintf("QMAIL_CASES_BASE=%s", base), fmt.Sprintf("QMAIL_CASES_WORLD=%d", w))
	r, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	var errOut strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &errOut, &errOut, []*os.File{write}
	err = testqmail.Start(cmd)
	write.Close()
	if err != nil {
		return err
	}
	for d := json.NewDecoder(r); ; {
		var one result
		if d.Decode(&one) != nil {
			break
		}
		results <- one
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, errOut.String())
	}
	return nil
}

// TestInAWorld is what runWorld starts; by itself it does nothing.
func TestInAWorld(t *testing.T) {
	base := os.Getenv("QMAIL_CASES_BASE")
	if base == "" {
		return
	}
	var w int
	fmt.Sscan(os.Getenv("QMAIL_CASES_WORLD"), &w)
	all, err := Load("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	if err := testqmail.Enter(base); err != nil {
		t.Fatal(err)
	}
	e, err := newBed()
	if err != nil {
		t.Fatal(err)
	}
	out := json.NewEncoder(os.NewFile(3, "results"))
	subs, deliveries := canons(), regexp.MustCompile(`(?m)^delivery .*`)
	n := 0
	for _, c := range all {
		if !strings.Contains(c.ID, *only) {
			continue
		}
		if n++; n%worlds != w {
			continue
		}
		began := time.Now()
		trouble := try(e, c, subs, deliveries)
		out.Encode(result{c.ID, trouble, time.Since(began)})
	}
}

// try runs a case; empty means that it did as one of the peers did.
func try(e *bed, c *Case, subs []substitution, deliveries *regexp.Regexp) string {
	seen, err := e.execute(c)
	if err != nil {
		return err.Error()
	}
	got := canon(seen, subs, deliveries).(map[string]any)
	best := ""
	for _, x := range c.Expect {
		want := canon(x.Observed, subs, deliveries).(map[string]any)
		if reflect.DeepEqual(want, got) {
			return ""
		}
		if d := differences(want, got); best == "" || len(d) < len(best) {
			best = d
		}
	}
	return best
}

func TestEveryDeviationIsExplained(t *testing.T) {
	ours, err := Deviations("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../../docs/DEVIATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	for id := range ours {
		if !strings.Contains(string(text), "`"+id+"`") {
			t.Errorf("docs/DEVIATIONS.md does not name %s", id)
		}
	}
}
