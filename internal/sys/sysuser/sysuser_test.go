package sysuser

import (
	"os"
	"strings"
	"testing"
)

func TestRootIsFoundAndNobodyElseOfNoName(t *testing.T) {
	u, err := Lookup("root")
	if err != nil || u.UID != 0 || u.Home == "" {
		t.Errorf("%s: %+v %v", How, u, err)
	}
	for _, name := range []string{"", "no-such-user-here", "root\x00", "root:x", strings.Repeat("x", 300)} {
		if u, err := Lookup(name); err != ErrUnknown {
			t.Errorf("%q: %+v %v", name, u, err)
		}
	}
}

func TestEveryAccountOfThePasswordFileIsFoundByItsName(t *testing.T) {
	b, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || name[0] == '#' || name[0] == '+' || name[0] == '-' {
			continue
		}
		if u, err := Lookup(name); err != nil || u.Name != name {
			t.Errorf("%q: %+v %v", name, u, err)
		}
	}
}
