package main

import (
	"fmt"
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
	for text, want := range map[string]bool{
		"": false, "passwd: files systemd\n": false, "passwd:compat # ldap\n": false, "group: ldap\n": false,
		"passwd: files ldap\n": true, " passwd :\tfiles [NOTFOUND=return] sss": true,
	} {
		if got := elsewhere(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
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
	s := survey{homes: map[string]int{
		filepath.Join(top, "joe"): joe, filepath.Join(top, "joe/home"): -1, filepath.Join(top, "joe2"): joe, "x": -1,
	}}
	told := map[string][]string{}
	err := s.visit(time.Now, func(home string, stamp mailboxes.Stamp, files []string) error {
		told[filepath.Base(home)] = files
		if stamp == "" {
			t.Errorf("%s has no stamp", home)
		}
		return nil
	})
	if want := map[string][]string{"joe": {".qmail-joe"}}; err != nil || fmt.Sprint(told) != fmt.Sprint(want) {
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
