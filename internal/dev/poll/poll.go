// Package poll waits for what tests wait for: a condition, however slow the machine is.
package poll

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Limit is how long a condition may take to come true. It is for what never does: a test that fails takes so long, and
// a machine that is busy with ten other things needs a small part of it.
const Limit = 5 * time.Minute

// Until waits until cond is true, and fails the test if that never is: "never: " what, and what the rest say.
func Until(t testing.TB, what string, cond func() bool, rest ...func() string) {
	t.Helper()
	if Within(Limit, cond) {
		return
	}
	for _, f := range rest {
		what += "\n" + f()
	}
	t.Fatal("never: " + what)
}

// Asleep reports whether each thread of a process waits for something: it has done what there was to do, however busy
// the machine is. A process that is gone does nothing, either. It knows Linux only.
func Asleep(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		_, state, _ := bytes.Cut(stat, []byte(") ")) // R: would run if it could; D: waits for a disk
		if err == nil && len(state) > 0 && (state[0] == 'R' || state[0] == 'D') {
			return false
		}
	}
	return true
}

// Within reports whether cond has come true before d is over. It looks often at first, then less, and seldom where
// looking itself takes long: what is waited for needs the processor.
func Within(d time.Duration, cond func() bool) bool {
	pause := time.Millisecond
	for end := time.Now().Add(d); ; pause = min(pause*3/2, 50*time.Millisecond) {
		began := time.Now()
		if cond() {
			return true
		}
		now := time.Now()
		if !now.Before(end) {
			return false
		}
		time.Sleep(max(pause, min(5*now.Sub(began), 250*time.Millisecond)))
	}
}
