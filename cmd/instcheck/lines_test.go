package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhatIsAtTheEndsOfLinesIsSaid(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{
		"control/me": "m.test\n", "control/locals": "m.test\n\nn.test\r\n", "control/rcpthosts": "m.test \r\n",
		"control/other": "x\r\n", "users/assign": "=a:b:1:1:/h:::\t\n.\n",
	} {
		path := filepath.Join(home, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(home, "control/smtproutes"), 0o755)
	var got []string
	lineEnds(home, func(path, text string) { got = append(got, path[len(home)+1:]+" "+text) })
	if want := []string{
		"control/locals has lines that end in CR",
		"control/rcpthosts has lines that end in white space", "control/rcpthosts has lines that end in CR",
		"control/smtproutes cannot be read: read " + home + "/control/smtproutes: is a directory",
		"users/assign has lines that end in white space",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
