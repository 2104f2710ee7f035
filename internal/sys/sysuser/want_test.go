package sysuser

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const wantVariable = "SYSUSER_TEST_WANT"

func TestWithoutDescriptorsNobodyIsUnknown(t *testing.T) {
	if os.Getenv(wantVariable) == "" {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), wantVariable+"=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for name, want := range map[string]error{"root": nil, "no-such-user-here": ErrUnknown} { // what is read once, has been
		if _, err := Lookup(name); err != want {
			t.Fatal(err)
		}
	}
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		t.Fatal(err)
	}
	none := most
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, known := Lookup("root")
	_, unknown := Lookup("no-such-user-here")
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		t.Fatal(err)
	}
	if known == ErrUnknown || unknown == ErrUnknown || unknown == nil {
		t.Errorf("root: %v, nobody: %v", known, unknown)
	}
	if _, err := Lookup("no-such-user-here"); err != ErrUnknown {
		t.Error(err)
	}
}
