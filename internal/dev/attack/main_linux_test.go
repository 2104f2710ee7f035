package attack

import (
	"os"
	"testing"

	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	if pid := os.Getenv(spied); pid != "" {
		spy(pid)
		return
	}
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// long reports whether percentiles are wanted, and attacks on everything: "make attack".
func long() bool { return os.Getenv("QMAIL_TEST_ATTACK") == "long" }

// inWorld reports whether the test runs in a world of its own; else it has been run there by now. The worlds run side
// by side, unless they are to be measured. What floods a system has the machine for itself: it calls testqmail.Inside.
func inWorld(t *testing.T) bool {
	if os.Getpid() != 1 && !long() {
		t.Parallel()
	}
	return testqmail.Inside(t)
}
