package users

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

const passwdFile = `root:x:0:0:root:/root:/bin/sh
joe:x:500:501:J:/home/joe:/bin/sh
Ann:x:502:502::/home/ann:/bin/sh
bad:x:503:503::/home/other:/bin/sh
gone:x:504:504::/home/gone:/bin/sh
short:x:505
alias:x:7:8::/var/qmail/alias:/bin/true
`

// owners is a machine where /home/other is another's and /home/gone is missing.
func owners(path string) (int, error) {
	switch path {
	case "/home/joe":
		return 500, nil
	case "/home/ann":
		return 502, nil
	case "/home/other":
		return 1, nil
	case "/home/gone":
		return 0, fs.ErrNotExist
	case "/var/qmail/alias":
		return 7, nil
	}
	return 0, fs.ErrPermission
}

func has(list ...string) func(string) bool {
	return func(s string) bool {
		for _, l := range list {
			if l == s {
				return true
			}
		}
		return false
	}
}

const (
	joeLines   = "=joe:joe:500:501:/home/joe:::\n+joe-:joe:500:501:/home/joe:-::\n"
	aliasLines = "+:alias:7:8:/var/qmail/alias:-::\n=alias:alias:7:8:/var/qmail/alias:::\n" +
		"+alias-:alias:7:8:/var/qmail/alias:-::\n"
)

func TestAssignHasTheAccountsThatShallReceiveMail(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		site Site
		want string
	}{
		"default": {Options{Break: "-"}, Site{}, joeLines + aliasLines + ".\n"},
		"capitals": {Options{Break: "-", Capital: true}, Site{},
			joeLines + "=Ann:Ann:502:502:/home/ann:::\n+Ann-:Ann:502:502:/home/ann:-::\n" + aliasLines + ".\n"},
		"any home": {Options{Break: "-", Home: HomeAny}, Site{Exclude: has("gone")},
			joeLines + "=bad:bad:503:503:/home/other:::\n+bad-:bad:503:503:/home/other:-::\n" + aliasLines + ".\n"},
		"no extensions": {Options{}, Site{}, "=joe:joe:500:501:/home/joe:::\n+:alias:7:8:/var/qmail/alias:-::\n" +
			"=alias:alias:7:8:/var/qmail/alias:::\n.\n"},
		"folder": {Options{Break: "+", Slash: true}, Site{Include: has("alias")}, "+:alias:7:8:/var/qmail/alias:-/::\n" +
			"=alias:alias:7:8:/var/qmail/alias:::\n+alias+:alias:7:8:/var/qmail/alias:-/::\n.\n"},
		"names": {Options{Break: "-"}, Site{
			Include: has("joe", "alias"),
			Mailnames: func(n string) (string, bool) {
				return map[string]string{"joe": "j:j.oe", "alias": ""}[n], true
			}}, "=j:joe:500:501:/home/joe:::\n+j-:joe:500:501:/home/joe:-::\n" +
			"=j.oe:joe:500:501:/home/joe:::\n+j.oe-:joe:500:501:/home/joe:-::\n+:alias:7:8:/var/qmail/alias:-::\n.\n"},
		"subusers": {Options{Break: "-"},
			Site{Include: has("joe", "alias"), Subusers: []string{"sub:joe:pre:", "few:joe"}}, joeLines + aliasLines +
				"=sub:joe:500:501:/home/joe:-:pre:\n+sub-:joe:500:501:/home/joe:-:pre-:\n.\n"},
		"append": {Options{Break: "-"}, Site{Append: strings.NewReader("=x:y\n")}, joeLines + aliasLines + "=x:y\n.\n"},
	} {
		c.site.Alias, c.site.Owner = "alias", owners
		var out strings.Builder
		if err := FromPasswd(strings.NewReader(passwdFile), &out, c.o, c.site); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out.String(), c.want)
		}
	}
}

func TestTheAssignFileThatAccountsGiveIsAccepted(t *testing.T) {
	var out strings.Builder
	err := FromPasswd(strings.NewReader(passwdFile), &out, Options{Break: "-"}, Site{Alias: "alias", Owner: owners})
	if err != nil {
		t.Fatal(err)
	}
	path, err := compile(t, out.String())
	if err != nil {
		t.Fatal(err)
	}
	if u, ok, err := Lookup(path, "joe-X"); err != nil || !ok || u != (User{"joe", 500, 501, "/home/joe", "-", "X"}) {
		t.Errorf("%+v %v %v", u, ok, err)
	}
}

func TestNothingIsFinishedWithoutAliasOrWithAHomeThatMustBeThere(t *testing.T) {
	for name, c := range map[string]struct {
		passwd string
		o      Options
		site   Site
		want   string
	}{
		"no alias":        {"joe:x:500:501:J:/home/joe:/bin/sh\n", Options{}, Site{}, "unable to find alias user"},
		"missing home":    {passwdFile, Options{Home: HomeRequired}, Site{}, "unable to stat /home/gone"},
		"unreadable home": {"x:x:9:9::/secret:/bin/sh\n", Options{}, Site{}, "unable to stat /secret"},
		"unknown subuser": {passwdFile, Options{}, Site{Subusers: []string{"s:none:p:"}},
			"unable to find none user for subuser"},
	} {
		c.site.Alias, c.site.Owner = "alias", owners
		var out strings.Builder
		err := FromPasswd(strings.NewReader(c.passwd), &out, c.o, c.site)
		if err == nil || err.Error() != c.want || strings.HasSuffix(out.String(), "\n.\n") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
}

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	err := FromPasswd(strings.NewReader(passwdFile), full{}, Options{}, Site{Alias: "alias", Owner: owners})
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func FuzzFromPasswd(f *testing.F) {
	f.Add(passwdFile)
	f.Add("alias:x:7:8::/var/qmail/alias:/bin/true")
	f.Fuzz(func(t *testing.T, passwd string) {
		var out strings.Builder
		if FromPasswd(strings.NewReader(passwd), &out, Options{Break: "-", Home: HomeAny},
			Site{Alias: "alias", Owner: owners}) != nil {
			return
		}
		if _, err := compile(t, out.String()); err != nil {
			t.Errorf("%v for\n%s", err, out.String())
		}
	})
}
