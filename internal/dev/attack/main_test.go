package attack

import (
	"os"
	"testing"

	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}
