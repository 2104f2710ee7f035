package command

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/text/exit"
)

func TestACommandIsFoundByPathAndAScriptIsGivenToTheShell(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"script": 0o755, "denied": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("exit $1\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=/nonexistent:" + dir + ":/bin:/usr/bin"}
	files := [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	for _, c := range []struct {
		argv []string
		env  []string
		code exit.Code
		fail bool
	}{
		{[]string{"sh", "-c", "exit 3"}, env, 3, false},
		{[]string{"sh", "-c", "exit 4"}, nil, 4, false},
		{[]string{"sh", "-c", "exit 111"}, env, exit.Temp, true},
		{[]string{"sh", "-c", "exit 2"}, env, exit.Crash, true},
		{[]string{"sh", "-c", "kill -9 $$"}, env, exit.Temp, true},
		{[]string{"script", "7"}, env, 7, false},
		{[]string{dir + "/script", "8"}, env, 8, false},
		{[]string{"denied"}, env, exit.Perm, false},
		{[]string{"nonexistent"}, env, exit.Perm, false},
		{[]string{""}, env, exit.Perm, false},
		{[]string{dir}, env, exit.Perm, false},
	} {
		code, err := Condition(c.argv, c.env, files)
		if code != c.code || (err != nil) != c.fail {
			t.Errorf("%q: %d %v, want %d", c.argv, code, err, c.code)
		}
	}
}

func TestAFedCommandNeedNotReadItAll(t *testing.T) {
	dir := t.TempDir()
	open := func(name, text string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(text)
		f.Seek(0, io.SeekStart)
		return f
	}
	env := []string{"PATH=/bin:/usr/bin"}
	big := strings.Repeat("0123456789\n", 100_000)
	in, out := open("in", big), open("out", "")
	if code, err := Feed([]string{"cat"}, env, "head\n", in, out, os.Stderr); code != exit.OK || err != nil {
		t.Error(code, err)
	}
	if b, err := os.ReadFile(out.Name()); err != nil || string(b) != "head\n"+big {
		t.Error(len(b), err)
	}
	in.Seek(0, io.SeekStart)
	if code, err := Feed([]string{"sh", "-c", "exit 67"}, env, "", in, out, os.Stderr); code != 67 || err != nil {
		t.Error(code, err)
	}
	in.Seek(0, io.SeekStart)
	if _, err := Feed([]string{"sh", "-c", "kill -9 $$"}, env, "", in, out, os.Stderr); !errors.Is(err, ErrCrashed) {
		t.Error(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var fe *FeedError
	if _, err := Feed([]string{"cat"}, env, "", folder, out, os.Stderr); !errors.As(err, &fe) {
		t.Error(err)
	}
}
