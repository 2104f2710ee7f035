//go:build linux

package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

func TestSystemdMakesTheAccountsThatTheSuiteIsBuiltFor(t *testing.T) {
	testqmail.Need(t, "systemd-sysusers")
	testqmail.NeedRoot(t)
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(source, "boot/sysusers.d/qmail.conf"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	os.Mkdir(filepath.Join(root, "etc"), 0o755)
	cmd := exec.Command("systemd-sysusers", "--root="+root, "-")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(b), "@QMAIL@", conf.Home()))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	groups, _ := os.ReadFile(filepath.Join(root, "etc/group"))
	passwd, _ := os.ReadFile(filepath.Join(root, "etc/passwd"))
	gid := map[string]string{}
	for l := range strings.Lines(string(groups)) {
		f := strings.Split(l, ":")
		gid[f[0]] = f[2]
	}
	var made []string
	for l := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(l), ":")
		made = append(made, f[0]+" "+f[5]+" "+f[6])
		want := conf.GroupNames().Qmail
		if slices.Contains([]string{"alias", "qmaild", "qmaill", "qmailp"}, f[0]) {
			want = conf.GroupNames().NoFiles
		}
		if f[3] != gid[want] {
			t.Errorf("%s is in group %s, not in %s", f[0], f[3], want)
		}
	}
	u := conf.UserNames()
	for _, name := range []string{u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send, u.Key} {
		home := conf.Home()
		if name == u.Alias {
			home += "/alias"
		}
		if !slices.Contains(made, name+" "+home+" /bin/true") {
			t.Errorf("there is no %s with the home %s: %q", name, home, made)
		}
	}
}
