package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/auth/authproto"
	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// A daemon is a running qmail-authd.
type daemon struct {
	cmd  *exec.Cmd
	log  string
	path string
}

func start(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(conf.Home() + "/bin/qmail-authd"), log: filepath.Join(t.TempDir(), "log"),
		path: conf.Home() + "/run/auth"}
	f, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d.cmd.Stderr = f
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.cmd.Process.Kill(); d.cmd.Wait() })
	poll.Until(t, "qmail-authd listens", func() bool {
		c, err := authproto.Dial(d.path)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, func() string { return d.said() })
	return d
}

func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Wait()
}

func (d *daemon) said() string {
	b, _ := os.ReadFile(d.log)
	return string(b)
}

func (d *daemon) dial(t *testing.T) *authproto.Client {
	t.Helper()
	c, err := authproto.Dial(d.path)
	if err != nil {
		t.Fatal(err, d.said())
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// login has a user log in, from an address that no other attempt has.
func login(t *testing.T, c *authproto.Client, mechanism, user, secret string) (string, error) {
	t.Helper()
	b := scram.Binding{}
	if mechanism == scram.Plus {
		b = scram.Binding{Exporter: []byte("x"), Offered: true}
	}
	client, err := sasl.NewClient(mechanism, user, secret, b)
	if err != nil {
		t.Fatal(err)
	}
	addresses++
	s, err := c.Begin(authproto.Request{Service: "smtp", Mechanism: mechanism, Secured: true, ChannelBinding: b.Exporter,
		RemoteIP: "2001:db8:0:" + strconv.Itoa(addresses) + "::1", Initial: client.Initial(),
		HasInitial: client.Initial() != nil})
	for err == nil && s.State == authproto.Continue {
		var answer []byte
		if answer, err = client.Next(s.Challenge); err == nil {
			s, err = c.Continue(answer)
		}
	}
	switch {
	case err != nil:
		return "", err
	case s.State == authproto.OK:
		return "ok " + s.User, client.Finish()
	case s.Temporary:
		return "temporary", nil
	}
	return "no", nil
}

var addresses int

func expect(t *testing.T, c *authproto.Client, mechanism, user, secret, want string) {
	t.Helper()
	if got, err := login(t, c, mechanism, user, secret); got != want || err != nil {
		t.Errorf("%s %s %s: %q %v, want %q", mechanism, user, secret, got, err, want)
	}
}

// newauth runs qmail-newauth with a password on descriptor 0.
func newauth(t *testing.T, password string, args ...string) {
	t.Helper()
	cmd := exec.Command(conf.Home()+"/bin/qmail-newauth", args...)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("qmail-newauth %v: %v %s", args, err, out)
	}
}

func setControl(t *testing.T, name, text string) {
	t.Helper()
	file := conf.Home() + "/control/" + name
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
}

func TestPasswordsOfTheDatabaseLetUsersInAndOnlyQmaildMayAsk(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testqmail.Need(t, "perl", "setpriv")
	d := start(t)
	c := d.dial(t)
	expect(t, c, sasl.Plain, "joe", "pw", "temporary") // nothing is set up
	newauth(t, "pw", "-a", "Joe@example.com")
	expect(t, c, sasl.Plain, "joe@example.com", "pw", "ok joe@example.com")
	c = d.dial(t)
	for _, m := range c.Mechanisms() {
		expect(t, c, m, "joe@example.com", "pw", "ok joe@example.com")
		expect(t, c, m, "joe@example.com", "pW", "no")
		expect(t, c, m, "eve@example.com", "pw", "no")
	}
	newauth(t, "other", "-a", "joe@example.com")
	expect(t, c, scram.Plain, "joe@example.com", "pw", "no")
	expect(t, c, scram.Plus, "joe@example.com", "other", "ok joe@example.com")
	if log := d.said(); !strings.Contains(log, ": failed SCRAM-SHA-256 user <eve@example.com>\n") ||
		!strings.HasPrefix(log, "qmail-authd: 2001:db8:0:1::1 pid ") {
		t.Errorf("the log is %q", log)
	}

	// It is qmailp now, who can read users/auth.cdb and write nothing.
	status, err := os.ReadFile("/proc/" + strconv.Itoa(d.cmd.Process.Pid) + "/status")
	uid, _, ok := testqmail.Account("qmailp")
	if err != nil || !ok || !strings.Contains(string(status), "\nUid:\t"+strings.Repeat(strconv.Itoa(uid)+"\t", 3)) {
		t.Errorf("qmail-authd has not become %d: %s", uid, status)
	}
	st, err := os.Stat(conf.Home() + "/users/auth.cdb")
	if err != nil || st.Mode().Perm() != 0o400 || int(st.Sys().(*syscall.Stat_t).Uid) != uid {
		t.Errorf("users/auth.cdb: %v %v", st.Mode(), err)
	}
	if st, err := os.Stat(conf.Home() + "/users/auth"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("users/auth: %v %v", st, err)
	}

	// Who may connect: qmaild by the mode of the socket, and no other even if that were open to all.
	const connect = `use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un($ARGV[0])) or exit 1;
alarm 60; sysread(S, $_, 7); print`
	try := func(user string) string {
		cmd := exec.Command("setpriv", "--reuid="+user, "--regid=nofiles", "--clear-groups", "perl", "-e", connect, d.path)
		out, _ := cmd.Output()
		return string(out)
	}
	for _, user := range []string{"qmaill", "alias", "qmailp"} {
		if got := try(user); got != "" {
			t.Errorf("%s reads %q", user, got)
		}
	}
	os.Chmod(d.path, 0o666)
	if got := try("alias"); got != "" {
		t.Errorf("alias reads %q where the mode lets it connect", got)
	}
	if got := try("qmaild"); got != "VERSION" {
		t.Errorf("qmaild reads %q", got)
	}

	// A second one does not take the socket from the first.
	if out, err := exec.Command(conf.Home() + "/bin/qmail-authd").CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "another one") {
		t.Errorf("a second one: %v %s", err, out)
	}
	// Killed, it is missed for as long as it is gone, and nothing else is lost.
	d.cmd.Process.Kill()
	d.cmd.Wait()
	if got, err := login(t, c, sasl.Plain, "joe@example.com", "other"); err == nil {
		t.Errorf("of a killed server: %q", got)
	}
	if _, err := authproto.Dial(d.path); err == nil {
		t.Error("a killed server answers")
	}
	d = start(t)
	expect(t, d.dial(t), scram.Plus, "joe@example.com", "other", "ok joe@example.com")
}

// program is a checker whose verdict is the password. It says who it is, and what it has open.
const program = `#!/bin/sh
tr '\0' '\n' <&3 >"$1.in"
{ read name; read password; read stamp; } <"$1.in"
id -u >"$1.uid"
test "$name" = joe || exit 1
case $password in
yes) exit 0;;
dies) kill -9 $$;;
*) exit "$password";;
esac
`

func TestAProgramThatChecksPasswordsIsBelievedInTwoCodesOnly(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	dir := t.TempDir()
	for _, p := range []string{filepath.Dir(dir), dir} {
		os.Chmod(p, 0o755)
	}
	os.Mkdir(dir+"/open", 0o777)
	os.Chmod(dir+"/open", 0o777)
	file := dir + "/check"
	if err := os.WriteFile(file, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	setControl(t, "authcheck", "# ours\n"+file+" "+dir+"/open/p\n")
	setControl(t, "oauthcheck", file+"\t"+dir+"/open/t\n")
	newauth(t, "pw", "-a", "ann@example.com")
	d := start(t)
	c := d.dial(t)
	if m := strings.Join(c.Mechanisms(), " "); m != "PLAIN LOGIN OAUTHBEARER XOAUTH2" {
		t.Error(m)
	}
	expect(t, c, sasl.Login, "ann@example.com", "pw", "ok ann@example.com")
	expect(t, c, sasl.Plain, "ann@example.com", "yes", "no")
	for secret, want := range map[string]string{"yes": "ok joe", "0": "ok joe", "1": "no", "2": "temporary",
		"111": "temporary",
		"99":  "temporary", "dies": "temporary"} {
		expect(t, c, sasl.Plain, "joe", secret, want)
		if want != "no" {
			expect(t, c, sasl.XOAuth2, "joe", secret, want)
		} else if got, err := login(t, c, sasl.OAuthBearer, "joe", secret); got != "no" || err != nil {
			t.Errorf("a token that is refused: %q %v", got, err)
		}
	}
	expect(t, c, sasl.Plain, "eve", "yes", "no")
	uid, _, _ := testqmail.Account("qmailp")
	for kind, want := range map[string]string{"p": "0", "t": strconv.Itoa(uid)} {
		if b, err := os.ReadFile(dir + "/open/" + kind + ".uid"); string(b) != want+"\n" || err != nil {
			t.Errorf("the program for %s runs as %s, want %s", kind, b, want)
		}
	}
	b, _ := os.ReadFile(dir + "/open/p.in")
	f := bytes.Split(b, []byte("\n"))
	if n, err := strconv.ParseInt(string(f[2]), 10, 64); len(f) != 4 || err != nil || time.Since(time.Unix(n,
		0)) > time.Hour {
		t.Errorf("the program read %q", b)
	}

	// The one that answers is qmailp; when it dies, all ends, to be started again.
	pid := 0
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, f := range files {
		status, _ := os.ReadFile(f)
		if strings.Contains(string(status), "\nPPid:\t"+strconv.Itoa(d.cmd.Process.Pid)+"\n") {
			pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if !strings.Contains(string(status), "\nUid:\t"+strconv.Itoa(uid)+"\t") {
				t.Errorf("the one that answers is not qmailp: %s", status)
			}
		}
	}
	if pid == 0 {
		t.Fatal("nothing answers")
	}
	syscall.Kill(pid, syscall.SIGKILL)
	if err := d.cmd.Wait(); d.cmd.ProcessState.ExitCode() != 111 {
		t.Errorf("%v, %s", err, d.said())
	}
	d = start(t)
	d.cmd.Process.Kill()
	d.cmd.Wait()
	poll.Until(t, "the other half ends as well", func() bool {
		_, err := net.Dial("unix", d.path)
		return err != nil
	})
	os.Remove(file)
	d = start(t)
	expect(t, d.dial(t), sasl.Plain, "joe", "yes", "temporary")
	d.stop()
}

func TestNoFaultOfAnAdministratorLetsAnybodyIn(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	users := conf.Home() + "/users/"
	run := func(args ...string) (string, int) {
		cmd := exec.Command(conf.Home()+"/bin/qmail-newauth", args...)
		cmd.Stdin = strings.NewReader("pw\n")
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run(); code != 111 || !strings.Contains(out, "users/auth") {
		t.Errorf("without a file: %d %s", code, out)
	}
	for _, args := range [][]string{{"x"}, {"-a"}, {"-x", "y"}, {"-a", "x", "y"}, {"-a", "a:b"}, {"-a", ""}, {"-a",
		"#x"}, {"-d", "x "}} {
		if out, code := run(args...); code != 100 {
			t.Errorf("%q: %d %s", args, code, out)
		}
	}
	if out, code := run("-d", "joe"); code != 111 {
		t.Errorf("a name that is not there: %d %s", code, out)
	}
	newauth(t, "pw", "-a", "joe")
	newauth(t, "pw", "-a", "ann")
	before, err := os.ReadFile(users + "auth.cdb")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := os.OpenFile(users+"auth", os.O_APPEND|os.O_WRONLY, 0)
	io.WriteString(f, "eve:secret\n")
	f.Close()
	for _, args := range [][]string{nil, {"-a", "bob"}, {"-d", "joe"}} {
		if out, code := run(args...); code != 111 || !strings.Contains(out, "users/auth, line 3: ") {
			t.Errorf("%q: %d %s", args, code, out)
		}
		if after, _ := os.ReadFile(users + "auth.cdb"); !bytes.Equal(before, after) {
			t.Errorf("%q: users/auth.cdb is another", args)
		}
	}
	b, _ := os.ReadFile(users + "auth")
	os.WriteFile(users+"auth", bytes.Replace(b, []byte("eve:secret\n"), nil, 1), 0o600)
	newauth(t, "", "-d", "joe")
	d := start(t)
	c := d.dial(t)
	expect(t, c, sasl.Plain, "joe", "pw", "no")
	expect(t, c, sasl.Plain, "ann", "pw", "ok ann")
	os.Truncate(users+"auth.cdb", 100)
	expect(t, c, sasl.Plain, "ann", "pw", "temporary")
	expect(t, c, scram.Plain, "ann", "pw", "temporary")
}
