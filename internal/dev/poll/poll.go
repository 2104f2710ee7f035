// Package poll waits for what tests wait for: a condition, however slow the machine is.
package poll

import (
	"testing"
	"time"
)

// Limit is how long a condition may take to come true. It is for what never does: a test that fails takes so long, and
// a machine that is busy with ten other things needs a small part of it.
const Limit = 3 * time.Minute

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

// Within reports whether cond has come true before d is over. It looks often at first, then less.
func Within(d time.Duration, cond func() bool) bool {
	pause := time.Millisecond
	for end := time.Now().Add(d); ; pause = min(pause*3/2, 25*time.Millisecond) {
		if cond() {
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
		time.Sleep(pause)
	}
}
