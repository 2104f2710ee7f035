package main

import (
	"os"
	"path/filepath"

	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/site/users"
)

// lineEnds warns about what the readers of the files that an administrator writes pass over at the ends of lines, and
// another qmail may not.
func lineEnds(home string, warn func(path, text string)) {
	look := func(dir control.Dir, name string) {
		b, _, err := dir.Raw(name)
		path := filepath.Join(string(dir), name)
		if err != nil {
			warn(path, "cannot be read: "+err.Error())
		}
		space, cr := control.Ends(b)
		if space {
			warn(path, "has lines that end in white space")
		}
		if cr {
			warn(path, "has lines that end in CR")
		}
	}
	for _, f := range control.Files() {
		if f.Kind < control.Database {
			look(control.Dir(filepath.Join(home, "control")), f.Name)
		}
	}
	for _, name := range []string{"smtproutes", "authsenders"} {
		path := filepath.Join(home, "control", name)
		lines, _, err := control.Dir(filepath.Join(home, "control")).List(name)
		if fi, serr := os.Stat(path); err == nil && serr == nil && smtproutes.Told(lines, fi) {
			warn(path, "has passwords that everybody can read")
		}
	}
	for _, name := range []string{"assign", "append", "include", "exclude", "mailnames", "subusers"} {
		look(control.Dir(filepath.Join(home, users.Folder)), name)
	}
}
