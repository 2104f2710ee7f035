package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"qmail/internal/site/users"
	"qmail/internal/sys/sysuser"
	"qmail/internal/text/exit"
)

var errDirectory = errors.New("the directory service is gone")

// lookup is a machine with some accounts; the directory service fails for names that begin with down.
func lookup(name string) (sysuser.User, error) {
	switch {
	case name == "root":
		return sysuser.User{Name: "root", Home: "/root"}, nil
	case name == "joe" || name == "orc-dash" || name == "orc":
		return sysuser.User{Name: name, UID: 500, GID: 501, Home: "/home/" + name}, nil
	case name == "daemon" || name == "nohome" || name == "nfs":
		return sysuser.User{Name: name, UID: 600, GID: 601, Home: "/" + name}, nil
	case name == strings.Repeat("x", 32) || name == strings.Repeat("x", 33):
		return sysuser.User{Name: "x", UID: 500, GID: 501, Home: "/home/x"}, nil
	case name == "alias":
		return sysuser.User{Name: "alias", UID: 7, GID: 8, Home: "/var/qmail/alias"}, nil
	case strings.HasPrefix(name, "down"):
		return sysuser.User{}, errDirectory
	}
	return sysuser.User{}, sysuser.ErrUnknown
}

func owner(home string) (int, error) {
	switch home {
	case "/root", "/daemon":
		return 0, nil
	case "/nohome":
		return 0, errNoHome
	case "/nfs":
		return 0, syscall.ESTALE
	}
	return 500, nil
}

func TestAnAddressBelongsToTheLongestAccountNameBeforeABreak(t *testing.T) {
	alias := func(ext string) users.User {
		return users.User{Name: "alias", UID: 7, GID: 8, Home: "/var/qmail/alias", Dash: "-", Ext: ext}
	}
	user := func(name, dash, ext string) users.User {
		return users.User{Name: name, UID: 500, GID: 501, Home: "/home/" + name, Dash: dash, Ext: ext}
	}
	long := strings.Repeat("x", 33)
	for local, want := range map[string]users.User{
		"joe":            user("joe", "", ""),
		"JOE-Foo-Bar":    user("joe", "-", "Foo-Bar"),
		"joe-":           user("joe", "-", ""),
		"orc-dash-x":     user("orc-dash", "-", "x"),
		"orc-dashing":    user("orc", "-", "dashing"),
		"root":           alias("root"),
		"root-x":         alias("root-x"),
		"daemon":         alias("daemon"),
		"nohome-Ext":     alias("nohome-Ext"),
		"":               alias(""),
		"-":              alias("-"),
		"-joe":           alias("-joe"),
		"../x":           alias("../x"),
		long:             alias(long),
		long[1:]:         user("x", "", ""),
		long[1:] + "-a":  user("x", "-", "a"),
		long + "-joe-jo": alias(long + "-joe-jo"),
	} {
		if u, err := search(local, lookup, owner); err != nil || u != want {
			t.Errorf("%q: %+v %v", local, u, err)
		}
	}
}

func TestALookupThatFailedIsNeverAnUnknownUser(t *testing.T) {
	for _, local := range []string{"down", "down-joe", "nfs", "nfs-x"} {
		if u, err := search(local, lookup, owner); err == nil {
			t.Errorf("%q: %+v", local, u)
		}
	}
	none := func(string) (sysuser.User, error) { return sysuser.User{}, sysuser.ErrUnknown }
	if u, err := search("joe", none, owner); err == nil {
		t.Errorf("without an alias account: %+v", u)
	}
}

func TestAHomeThatIsLastingGoneIsToldFromTrouble(t *testing.T) {
	dir := t.TempDir()
	if uid, err := homeOwner(dir); err != nil || uid != os.Getuid() {
		t.Errorf("%d %v", uid, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"", filepath.Join(dir, "none"), file + "/x", "/" + strings.Repeat("x", 5000)} {
		if _, err := homeOwner(home); err != errNoHome {
			t.Errorf("%.20q: %v", home, err)
		}
	}
}

func TestAnAnswerThatCannotBeGivenIsAnExitCode(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if code := answer(nil, f); code != exit.Perm {
		t.Errorf("without an address: %d", code)
	}
	f.Close()
	if code := answer([]string{"root"}, f); code != exit.Temp {
		t.Errorf("with nowhere to write: %d", code)
	}
}
