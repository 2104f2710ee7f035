package recipients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/mailboxes"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/cdb"
)

// A site is a qmail home with control files, and homes of users.
type site struct {
	t    *testing.T
	home string
}

func newSite(t *testing.T, files map[string]string) *site {
	t.Helper()
	s := &site{t, t.TempDir()}
	for _, d := range []string{"control", "users", "alias", "joe", "lists"} {
		if err := os.Mkdir(s.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		s.write(name, text)
	}
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.home, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// cdb makes a cdb of keys and values.
func (s *site) cdb(name string, fill func(w *cdb.Writer) error) {
	s.t.Helper()
	w, err := cdb.Create(s.path(name) + ".tmp")
	if err == nil {
		err = fill(w)
	}
	if err == nil {
		err = w.Commit(s.path(name))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// book makes users/recipients.cdb. Of the accounts joe and alias get mail, and nohome, other and root do not. Nothing
// is certain of away, a person without a home, of unseen, whose home root has not seen, and of given and made, whose
// homes are not what they were.
func (s *site) book(others bool) {
	s.t.Helper()
	s.cdb("users/recipients.cdb", func(w *cdb.Writer) error {
		dir := control.Dir(s.path("control"))
		m := mailboxes.Maker{To: w, Control: dir, Sources: []string{s.path("passwd")}}
		for _, f := range mailboxes.ControlFiles() {
			m.Sources = append(m.Sources, filepath.Join(string(dir), f))
		}
		var stamps []mailboxes.Stamp
		for _, p := range m.Sources {
			stamp, _ := mailboxes.StampOf(p, time.Now())
			stamps = append(stamps, stamp)
		}
		err := m.Begin(stamps, others)
		uid := os.Getuid()
		if uid == 0 { // whose accounts get no mail
			uid = 1234
			for _, h := range []string{"alias", "joe"} {
				if err := os.Chown(s.path(h), uid, -1); err != nil {
					return err
				}
			}
		}
		for _, a := range []mailboxes.Account{{Name: "joe", UID: uid, Home: s.path("joe")},
			{Name: "nohome", UID: 100, Home: s.path("none")}, {Name: "other", UID: uid + 1, Home: s.path("joe")},
			{Name: "away", UID: 1000, Home: s.path("none")}, {Name: "unseen", UID: uid, Home: s.path("unseen")},
			{Name: "given", UID: uid, Home: s.path("control")}, {Name: "made", UID: uid, Home: s.path("users")},
			{Name: "root", Home: "/root"}, {Name: "alias", UID: uid, Home: s.path("alias")}} {
			if err == nil {
				err = m.Account(a)
			}
		}
		if err == nil {
			err = m.Alias(s.path("alias"))
		}
		for path, owner := range map[string]int{"none": -1, "users": -1, "control": uid + 1} {
			if err == nil {
				err = m.Home(mailboxes.Home{Path: s.path(path), Owner: owner})
			}
		}
		for _, h := range []string{"alias", "joe", "lists"} {
			names, _ := filepath.Glob(s.path(h) + "/.qmail*")
			old := time.Now().Add(-time.Hour)
			if err == nil {
				err = os.Chtimes(s.path(h), old, old)
			}
			for i := range names {
				names[i] = filepath.Base(names[i])
			}
			stamp, _ := mailboxes.StampOf(s.path(h), time.Now())
			if err == nil {
				err = m.Home(mailboxes.Home{Path: s.path(h), Owner: uid, Stamp: stamp, Files: names})
			}
		}
		return err
	})
}

func (s *site) open() *Door {
	s.t.Helper()
	d, err := Open(control.Dir(s.path("control")), []string{"PATH=/bin:/usr/bin"}, s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(d.Close)
	return d
}

func (s *site) asks(d *Door, want string, recipients ...string) {
	s.t.Helper()
	for _, r := range recipients {
		if got := d.Admit(smtpd.AtRcpt, &smtpd.Visit{Sender: "a@b.test", Recipient: r}); !strings.HasPrefix(got, want) ||
			got != "" && want == "" {
			s.t.Errorf("%s: %q, want %q", r, got, want)
		}
	}
}

func local() map[string]string {
	return map[string]string{
		"control/recipients": "users/recipients.cdb\n", "control/me": "m.test\n", "control/locals": "m.test\nL.test\n",
		"control/virtualdomains": "v.test:joe-virt\n.v.test:joe-sub\none@w.test:alias-w\nout.v.test:\n",
		"control/percenthack":    "p.test\n", "passwd": "x",
		"alias/.qmail-postmaster": "", "alias/.qmail-a:b": "", "alias/.qmail-team-default": "", "alias/.qmail-w-one": "",
		"joe/.qmail-list": "", "joe/.qmail-virt-ann": "", "joe/.qmail-sub-default": "",
		"lists/.qmail-pre-x": "",
	}
}

func TestWhoGetsMailByTheRulesOfDeliveryIsAcceptedAndNoOther(t *testing.T) {
	s := newSite(t, local())
	s.book(false)
	d := s.open()
	s.asks(d, "", "joe@m.test", "JOE@l.Test", "joe-list@m.test", "Joe-List@m.test", "postmaster@m.test", "a.b@m.test",
		"team-x-y@m.test", "team-@m.test", "ann@v.test", "anyone@x.v.test", "one@w.test", "other@far.test", "x@out.v.test",
		"a%b@p.test", "joe-list/x@l.test", "joe", "", "@m.test", "two@w.test",
		"away@m.test", "away-x@m.test", "unseen@m.test", "unseen-x@m.test", "given@m.test", "made@m.test")
	s.asks(d, "550 ", "nobody@m.test", "joe-other@m.test", "joe-list-x@m.test", "bob@v.test", "nohome@m.test",
		"other@m.test", "root@m.test", "team@m.test", "a/../../joe@m.test", "joe-\xff@m.test")
	const nobody = "nobody@m.test"
	for _, v := range []smtpd.Visit{{Recipient: nobody, Relays: true}, {Recipient: nobody, Relays: true, User: "joe"}} {
		if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
			t.Errorf("%+v: %s", v, got)
		}
	}
}

func TestWhatHasChangedSinceIsAccepted(t *testing.T) {
	for what, change := range map[string]func(s *site){
		"an account":      func(s *site) { s.write("passwd", "xy") },
		"a domain":        func(s *site) { s.write("control/locals", "m.test\n") },
		"a .qmail file":   func(s *site) { s.write("alias/.qmail-nobody", "") },
		"a home gone":     func(s *site) { os.RemoveAll(s.path("alias")) },
		"a new control":   func(s *site) { os.Remove(s.path("control/percenthack")) },
		"users elsewhere": func(s *site) { s.book(true) },
		"an assignment": func(s *site) {
			s.cdb("users/cdb", func(w *cdb.Writer) error {
				if err := w.Add(nil, nil); err != nil {
					return err
				}
				return w.Add([]byte("!nobody\x00"), []byte("n\x005\x005\x00/new\x00-\x00x"))
			})
		},
	} {
		s := newSite(t, local())
		s.book(false)
		s.asks(s.open(), "550 ", "nobody@m.test")
		change(s)
		s.asks(s.open(), "", "nobody@m.test")
		if t.Failed() {
			t.Fatal(what)
		}
	}
}

func TestAssignmentsComeFirst(t *testing.T) {
	s := newSite(t, local())
	s.cdb("users/cdb", func(w *cdb.Writer) error {
		if err := w.Add([]byte("!list-"), []byte("l\x005\x005\x00"+s.path("lists")+"\x00-\x00pre-")); err != nil {
			return err
		}
		return w.Add(nil, []byte("-"))
	})
	s.book(false)
	d := s.open()
	s.asks(d, "", "list-x@m.test", "joe@m.test")
	s.asks(d, "550 ", "list-y@m.test", "nobody@m.test")
}

func TestADamagedOrMissingFileDefers(t *testing.T) {
	s := newSite(t, local())
	s.asks(s.open(), "451 ", "joe@m.test")
	s.book(false)
	b, err := os.ReadFile(s.path("users/recipients.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("users/recipients.cdb", string(b[:len(b)/2]))
	s.asks(s.open(), "451 ", "joe@m.test")
}

func TestLinesAreForDomainsAndAskListsOrPrograms(t *testing.T) {
	s := newSite(t, map[string]string{
		"control/recipients": "@exact.test:list\nBelow.test:/none\nbelow.test|bin a\nfree.test\nwait.test|./later\n",
		"bin":                "#!/bin/sh\nread -r x <&3\ncase $1$RECIPIENT in aann@*) exit 0;; *) exit 1;; esac\n",
		"later":              "#!/bin/sh\nexit 111\n",
	})
	s.cdb("list", func(w *cdb.Writer) error { return w.Add([]byte(":ann@exact.test"), nil) })
	d := s.open()
	s.asks(d, "", "Ann@Exact.test", "ann-verp=x@exact.test", "bob@sub.exact.test", "ann@x.below.test", "x@a.free.test",
		"x@notbelow.test")
	s.asks(d, "550 ", "bob@exact.test", "anna@exact.test")
	s.asks(d, "451 ", "bob@below.test", "x@wait.test") // a source that cannot be asked may know him
	for _, bad := range []string{"a:", "a|", "@", "@|x", "a@b.test:x", ":", "| "} {
		s.write("control/recipients", bad+"\n")
		if _, err := Open(control.Dir(s.path("control")), nil, s.home); err == nil {
			t.Errorf("%q makes sense", bad)
		}
	}
	os.Remove(s.path("control/recipients"))
	if d, err := Open(control.Dir(s.path("control")), nil, s.home); d != nil || err != nil {
		t.Errorf("without the file: %v, %v", d, err)
	}
}

func TestWhoGuessesNamesIsSentAway(t *testing.T) {
	s := newSite(t, local())
	s.write("control/brtlimit", "20\n")
	s.book(false)
	d := s.open()
	for i := range 20 {
		s.asks(d, "550 ", fmt.Sprintf("guess%d@m.test", i))
	}
	s.asks(d, "421 ", "guess@m.test")
}

func FuzzLine(f *testing.F) {
	for _, l := range []string{"@a.test:users/x.cdb", "a.test|bin/x y", "/path", ":x", "a.test"} {
		f.Add(l, "a.test")
	}
	f.Fuzz(func(t *testing.T, line, domain string) {
		s, ok := parse(line)
		if !ok {
			return
		}
		if s.path != "" && s.program != nil {
			t.Errorf("%q has two sources", line)
		}
		if !s.below && s.covers(domain) && domain != s.domain {
			t.Errorf("%q covers %q", line, domain)
		}
	})
}

func FuzzBook(f *testing.F) {
	f.Add([]byte("qmail-newrcpt"), "joe-x@m.test")
	f.Fuzz(func(t *testing.T, file []byte, address string) {
		path := filepath.Join(t.TempDir(), "cdb")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		b, ok, err := mailboxes.Open(t.TempDir(), path)
		if err != nil {
			return
		}
		defer b.Close()
		if lacks, err := b.Lacks(address); lacks && (err != nil || !ok) {
			t.Errorf("%q: %v, %v", address, lacks, err)
		}
	})
}
