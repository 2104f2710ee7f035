package policy

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var startup = flag.Bool("startup", false, "measure what it costs to start each program")

const (
	runs     = 200
	emptyTop = "package main\n\nfunc main() {}\n"
)

// TestStartup prints, for each program, how long it takes from exec to its end when it finds no qmail home, as a
// ratio to an empty Go program: the median of many runs, each program in turn so that all see the same noise.
func TestStartup(t *testing.T) {
	if !*startup {
		return
	}
	dir := t.TempDir()
	conf, err := filepath.Abs("../../../conf/conf-qmail")
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.go")
	for path, text := range map[string]string{
		filepath.Join(dir, "conf-qmail"): "/nonexistent\n",
		filepath.Join(dir, "overlay"):    fmt.Sprintf(`{"Replace":{%q:%q}}`, conf, filepath.Join(dir, "conf-qmail")),
		empty:                            emptyTop,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := func(args ...string) {
		cmd := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}, args...)...)
		cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	build("-o", filepath.Join(dir, "empty"), empty)
	build("-overlay", filepath.Join(dir, "overlay"), "-o", dir+"/", "./cmd/...")
	names := append([]string{"empty"}, programs(t)...)
	names = slices.DeleteFunc(names, func(n string) bool { return n == "maildirwatch" }) // it never ends
	took := map[string][]time.Duration{}
	for range runs {
		for _, n := range names {
			cmd := exec.Command(filepath.Join(dir, n))
			cmd.Env, cmd.Dir = []string{}, "/"
			start := time.Now()
			cmd.Run()
			took[n] = append(took[n], time.Since(start))
		}
	}
	median := func(n string) float64 {
		slices.Sort(took[n])
		return float64(took[n][runs/2])
	}
	slices.SortFunc(names, func(a, b string) int { return int(median(a) - median(b)) })
	for _, n := range names {
		fmt.Printf("%-16s %5.2f\n", n, median(n)/median("empty"))
	}
}
