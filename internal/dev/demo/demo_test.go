package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"qmail/internal/dev/testqmail"
)

func TestTheStepsOfInstallGoAsItSays(t *testing.T) {
	if err := testqmail.Possible(); err != nil {
		testqmail.Skip(t, err.Error())
	}
	program := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
