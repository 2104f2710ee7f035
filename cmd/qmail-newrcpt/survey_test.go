package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
	"qmail/internal/site/mailboxes"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func TestAccountsOfAnotherSourceAreKnownToBePossible(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"no services":     {map[string]string{}, false},
		"files":           {map[string]string{"etc/nsswitch.conf": "passwd: files\ngroup: ldap\n"}, false},
		"compat":          {map[string]string{"etc/nsswitch.conf": "passwd:compat # ldap\n"}, false},
		"compat with NIS": {map[string]string{"etc/passwd": "a:x:1:1::/:\n+::::::\n"}, true},
		"a directory":     {map[string]string{"etc/nsswitch.conf": "passwd: files ldap\n"}, true},
		"an action":       {map[string]string{"etc/nsswitch.conf": " passwd :\tfiles [NOTFOUND=return] sss"}, true},
		"the vendor's":    {map[string]string{"usr/etc/nsswitch.conf": "passwd: sss\n"}, true},
		"systemd": {map[string]string{"etc/nsswitch.conf": "passwd: files systemd\n",
			"run/systemd/userdb/io.systemd.DynamicUser": "", "var/lib/systemd/home/local.public": ""}, false},
		"systemd-homed": {map[string]string{"etc/nsswitch.conf": "passwd: files systemd\n",
			"var/lib/systemd/home/joe.identity": ""}, true},
		"homed that is not asked": {map[string]string{"etc/nsswitch.conf": "passwd: files\n",
			"var/lib/systemd/home/joe.identity": ""}, false},
		"a service of accounts": {map[string]string{"etc/nsswitch.conf": "passwd: files systemd\n",
			"run/systemd/userdb/org.example.Users": ""}, true},
		"a record": {map[string]string{"etc/nsswitch.conf": "passwd: files systemd\n", "etc/userdb/joe.user": ""}, true},
	} {
		root := t.TempDir()
		write := func(path, text string) {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
		for path, text := range c.files {
			write(path, text)
		}
		if got := others(root); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !others("/nowhere") {
		t.Error("without /etc/passwd nothing is certain")
	}
}

func TestNoUsersLinkLeadsTheSurveyElsewhere(t *testing.T) {
	testqmail.NeedRoot(t)
	const joe = 60007
	top := t.TempDir()
	for d := top; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	for _, d := range []string{"joe", "secret", "joe2"} {
		if err := os.Mkdir(filepath.Join(top, d), 0o700); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(top, d, ".qmail-"+d), nil, 0o600)
		os.Chtimes(filepath.Join(top, d), time.Time{}, time.Now().Add(-time.Hour))
	}
	os.Chown(filepath.Join(top, "joe"), joe, joe)
	os.Symlink(filepath.Join(top, "secret"), filepath.Join(top, "joe", "home"))
	os.Lchown(filepath.Join(top, "joe", "home"), joe, joe)
	os.Chtimes(filepath.Join(top, "joe"), time.Time{}, time.Now().Add(-time.Hour))
	s := survey{homes: map[string][]int{
		filepath.Join(top, "joe"): {joe + 1, joe}, filepath.Join(top, "joe/home"): {-1}, filepath.Join(top, "joe2"): {joe},
		filepath.Join(top, "none"): {joe}, "x": {-1},
	}}
	told := map[string]string{}
	err := s.visit(time.Now, func(h mailboxes.Home) error {
		told[filepath.Base(h.Path)] = fmt.Sprint(h.Owner, h.Files, h.Stamp != "")
		return nil
	})
	want := map[string]string{"joe": "60007 [.qmail-joe] true", "joe2": "0 [] false", "none": "-1 [] false"}
	if err != nil || !maps.Equal(told, want) {
		t.Errorf("%v, %v", told, err)
	}
}

// left returns how many messages are in the queue.
func left(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(conf.Home(), "queue/mess/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Twenty thousand messages for nobody, of senders who did not send them, and now and then one for somebody.
func TestMailForNobodyIsRefusedSoThatNobodyGetsABounceOfIt(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	home := conf.Home()
	run := func(name, input string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(home, "bin", name))
		cmd.Stdin, cmd.Env = strings.NewReader(input), []string{"PATH=/usr/bin:/bin", "TCPREMOTEIP=192.0.2.1"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	testserver.Install(t)
	for name, text := range map[string]string{"recipients": "users/recipients.cdb\n", "me": "m.test\n",
		"locals": "m.test\n", "rcpthosts": "m.test\n", "virtualdomains": "v.test:alias-v\n"} {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known := filepath.Join(home, "alias/.qmail-known")
	if err := os.WriteFile(known, []byte("#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("qmail-newrcpt", "")
	if fi, err := os.Stat(mailboxes.File(home)); err != nil || fi.Mode() != 0o640 {
		t.Fatalf("%v %v", fi, err)
	}
	const messages, session, friends = 20_000, 80, 10
	before, refused, accepted := left(t), 0, 0
	for n := 0; n < messages; {
		var b strings.Builder
		b.WriteString("HELO x\r\n")
		if n%(messages/friends) == 0 {
			b.WriteString("MAIL FROM:<a@far.test>\r\nRCPT TO:<known@m.test>\r\nDATA\r\n\r\nx\r\n.\r\n")
		}
		for end := n + session; n < end; n++ {
			fmt.Fprintf(&b, "MAIL FROM:<victim%d@far.test>\r\nRCPT TO:<guess%d@m.test>\r\n", n, n)
		}
		out := run("qmail-smtpd", b.String()+"QUIT\r\n")
		refused += strings.Count(out, "\r\n550 sorry, no mailbox here by that name (#5.1.1)")
		accepted += strings.Count(out, "\r\n250 ok ")
	}
	if queued := left(t) - before; refused != messages || accepted != friends || queued != friends {
		t.Errorf("%d of %d refused, %d accepted, %d messages queued", refused, messages, accepted, queued)
	}
	// A new mailbox takes mail at once, and what is for nobody is refused again once that is known.
	if err := os.WriteFile(filepath.Join(home, "alias/.qmail-new"), []byte("#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ask := func(who string) string {
		return run("qmail-smtpd", "MAIL FROM:<a@far.test>\r\nRCPT TO:<"+who+"@m.test>\r\nQUIT\r\n")
	}
	if out := ask("new"); strings.Contains(out, "550 ") {
		t.Errorf("a new mailbox: %s", out)
	}
	poll.Until(t, "an unknown recipient is refused again", func() bool {
		run("qmail-newrcpt", "")
		return strings.Contains(ask("nobody"), "550 ") && !strings.Contains(ask("new"), "550 ")
	})
}
