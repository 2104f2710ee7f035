package passwd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const users = `root:x:0:0:root:/root:/bin/sh
# qmaild:x:9:9::/:/bin/true
qmaild:x:1001:2000::/var/qmail:/bin/true
qmaill:x:1002:2000::/var/qmail:/bin/true
qmailp:x:1003:2000::/var/qmail:/bin/true
alias:x:1000:2000::/var/qmail/alias:/bin/true
qmailq:x:1004:2001::/var/qmail:/bin/true
qmailr:x:1005:2001::/var/qmail:/bin/true
qmails:x:1006:2001::/var/qmail:/bin/true
qmails:x:6:6::/second:/bin/true`

const groups = "qmail:x:2001:\nnofiles:x:2000:\n"

// root makes a folder with the two files; an empty text is a missing file.
func root(t testing.TB, passwd, group string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{passwdFile: passwd, groupFile: group} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(dir+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheAccountsHaveTheNumbersOfTheirFirstLines(t *testing.T) {
	got, err := IDsIn(root(t, users, groups))
	want := IDs{Alias: 1000, Daemon: 1001, Log: 1002, Root: 0, Passwd: 1003, Queue: 1004, Remote: 1005, Send: 1006,
		Qmail: 2001, NoFiles: 2000}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAMissingAccountIsNamed(t *testing.T) {
	for name, dir := range map[string]string{
		"qmailp":  root(t, strings.Replace(users, "qmailp:", "other:", 1), groups),
		"qmailr":  root(t, strings.Replace(users, ":1005:", ":-5:", 1), groups),
		"nofiles": root(t, users, "qmail:x:2001:\n"),
	} {
		if _, err := IDsIn(dir); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFileThatCannotBeReadIsNeverAnUnknownUser(t *testing.T) {
	folder := root(t, "", groups)
	if err := os.Mkdir(folder+passwdFile, 0o755); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"absent": root(t, "", groups), "a folder": folder} {
		if _, err := LookupIn(dir, "joe"); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := IDsIn(dir); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%s, all: %v", what, err)
		}
	}
}

func TestLinesThatAreNoEntriesArePassedOver(t *testing.T) {
	long := "joe:x:1:1:" + strings.Repeat("x", 3*maxLine) + ":/wrong:/bin/sh\n"
	dir := root(t, "\n:\njoe\njoe:x:abc:1::/a:\njoe:x:1\njoe:x:4294967295:1::/b:\n"+long+"joey:x:2:2::/c:\n"+
		"joe:x:5:6:J:/home/joe:/bin/sh", groups)
	if e, err := LookupIn(dir, "joe"); err != nil || e != (Entry{"joe", 5, 6, "/home/joe", "/bin/sh"}) {
		t.Errorf("%+v %v", e, err)
	}
	for _, name := range []string{"", "jo", "joe:x", "#"} {
		if e, err := LookupIn(dir, name); err != ErrUnknown {
			t.Errorf("%q: %+v %v", name, e, err)
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add(users, "qmailq")
	f.Add("a:b:c\n\n\n:::::::::", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		e, err := LookupIn(root(t, text+"\n", ""), name)
		if err == nil && (e.Name != name || e.UID < 0 || e.GID < 0) {
			t.Errorf("%+v", e)
		}
	})
}

func TestAShadowEntryIsTheFirstOfItsNameAndAllAreRead(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/etc", 0o755)
	text := "root:*:1::::::\njoe:$y$a:1:0:9:7::20000:\n# x\nann:$6$b\njoe:$y$c::::::x:\neve:!:::::::\nbob:h::::::x:"
	if err := os.WriteFile(dir+"/etc/shadow", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Shadow{"joe": {"$y$a", 20000}, "ann": {"$6$b", 0},
		"bob": {"h", 1}, "eve": {"!", 0}} {
		n := 0
		if s, err := LookupShadow(dir, name, func(string) { n++ }); s != want || err != nil || n != 6 {
			t.Errorf("%s: %+v %v, %d hashes", name, s, err, n)
		}
	}
	n := 0
	if s, err := LookupShadow(dir, "sam", func(string) { n++ }); err != ErrUnknown || n != 6 {
		t.Errorf("%+v %v, %d hashes", s, err, n)
	}
	if _, err := LookupShadow(dir+"/x", "joe", func(string) {}); err == nil || err == ErrUnknown {
		t.Error(err)
	}
}

func FuzzShadow(f *testing.F) {
	f.Add("joe:$y$a:1:0:9:7::20000:\n", "joe")
	f.Fuzz(func(t *testing.T, text, name string) {
		dir := t.TempDir()
		os.Mkdir(dir+"/etc", 0o755)
		os.WriteFile(dir+"/etc/shadow", []byte(text), 0o600)
		s, err := LookupShadow(dir, name, func(string) {})
		if err == nil && s.Hash != "" && !strings.Contains(text, name+":"+s.Hash) {
			t.Errorf("%q: %+v", text, s)
		}
	})
}
