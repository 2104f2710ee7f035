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
