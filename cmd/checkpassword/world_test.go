//go:build linux

package main

import (
	"bufio"
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
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// shadow gives users hashes of the password "pencil 1" and what stands behind them in /etc/shadow.
func shadow(t *testing.T, lines map[string]string) {
	t.Helper()
	old, err := os.ReadFile("/etc/shadow")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for name, l := range lines {
		text += name + ":" + l + "\n"
	}
	if err := os.WriteFile("/etc/shadow", []byte(text+string(old)), 0o600); err != nil { // the first line counts
		t.Fatal(err)
	}
}

func yescrypt(t *testing.T) string {
	t.Helper()
	testqmail.Need(t, "perl")
	out, err := exec.Command("perl", "-e", `print crypt("pencil 1", q($y$j9T$F5Jx5fExrKuPp53xLKQ..1))`).Output()
	if err != nil || !strings.HasPrefix(string(out), "$y$") {
		t.Fatalf("%q %v", out, err)
	}
	return string(out)
}

// run runs checkpassword with text on descriptor 3, which is closed where text is "closed".
func run(t *testing.T, text string, args ...string) (out string, state *os.ProcessState) {
	t.Helper()
	cmd := exec.Command(conf.Home()+"/bin/checkpassword", args...)
	if text != "closed" {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.ExtraFiles = []*os.File{r}
		go func() {
			io.WriteString(w, text)
			w.Close()
		}()
	}
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState
}

func login(name, password string) string { return name + "\x00" + password + "\x00<1.2@h>\x00" }

func TestThePasswordOfShadowMakesTheUserOfWhoeverHasIt(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	hash := yescrypt(t)
	const rest = ":20000:0:99999:7:::"
	user := testqmail.Users()[0]
	name := user.Name
	shadow(t, map[string]string{name: hash + rest, "root": hash + rest, "alias": "!" + hash + rest,
		"qmailr": hash + ":20000:0:99999:7::100:", "qmails": hash + rest, "nopasswd": hash + rest})
	const program = `echo $(id -u) $(id -G) $(pwd) $USER $HOME $SHELL "$@"; test -e /proc/self/fd/3 && echo leaked; exit 7`
	uid, gid, _ := testqmail.Account(name)
	out, state := run(t, login(name, "pencil 1"), "sh", "-c", program, "sh", "x y")
	home := testqmail.HomeOf(name)
	want := strconv.Itoa(uid) + " " + strconv.Itoa(gid) + " " + home + " " + name + " " + home + " "
	if !strings.HasPrefix(out, want) || !strings.HasSuffix(out, " x y\n") || state.ExitCode() != 7 {
		t.Errorf("%q, %v; want %q", out, state, want)
	}
	known := state.UserTime()
	for _, c := range []struct {
		text string
		code int
	}{
		{login(name, "pencil 2"), 1}, {login(name, ""), 1}, {login(name, "pencil"), 1}, {login(name, hash), 1},
		{login("", "pencil 1"), 1}, {login("nobody-there", "pencil 1"), 1}, {login(name+":x", "pencil 1"), 1},
		{login("root", "pencil 1"), 1}, {login("alias", "pencil 1"), 1}, {login("qmailr", "pencil 1"), 1},
		{login("qmaild", "*"), 1}, {login("nopasswd", "pencil 1"), 1},
		{name + "\x00pencil 1\x00", 2}, {name, 2}, {"", 2}, {"closed", 2},
		{name + "\x00pencil 1\x00" + strings.Repeat("x", maxLogin) + "\x00", 1}, {login(strings.Repeat("x", 4096), "x"), 1},
	} {
		out, state := run(t, c.text, "sh", "-c", "echo let in")
		if state.ExitCode() != c.code || strings.Contains(out, "let in") || strings.Contains(out, "pencil") {
			t.Errorf("%.40q: %d, want %d: %s", c.text, state.ExitCode(), c.code, out)
		}
		// What it does for a name that cannot be known by the answer must not be known by the work, either.
		if c.code == 1 && len(c.text) < maxLogin && c.text != login(name, "") && state.UserTime() < known/4 {
			t.Errorf("%q: %v of CPU, a user takes %v", c.text, state.UserTime(), known)
		}
	}
	if _, state := run(t, login(name, "pencil 1")); state.ExitCode() != 2 {
		t.Errorf("without a program: %v", state)
	}
	if _, state := run(t, login(name, "pencil 1"), "/nonexistent"); state.ExitCode() != 111 {
		t.Errorf("a program that is not there: %v", state)
	}
	if err := os.Rename(home, home+".gone"); err == nil {
		defer os.Rename(home+".gone", home)
	}
	if _, state := run(t, login(name, "pencil 1"), "true"); state.ExitCode() != 111 {
		t.Errorf("a home that is not there: %v", state)
	}
	os.Rename("/etc/shadow", "/etc/shadow.gone")
	if _, state := run(t, login(name, "pencil 1"), "true"); state.ExitCode() != 111 {
		t.Errorf("without a shadow: %v", state)
	}
}

func TestMailIsReadAndLoginsAreCheckedWithIt(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	user := testqmail.Users()[0]
	shadow(t, map[string]string{user.Name: yescrypt(t) + ":20000:0:99999:7:::"})
	home, bin := testqmail.HomeOf(user.Name), conf.Home()+"/bin/"
	uid, gid, _ := testqmail.Account(user.Name)
	for _, d := range []string{"", "/tmp", "/new", "/cur"} {
		os.Mkdir(home+"/Maildir"+d, 0o700)
		os.Chown(home+"/Maildir"+d, uid, gid)
	}
	file := home + "/Maildir/new/1.a"
	os.WriteFile(file, []byte("Subject: x\n\nhello\n"), 0o600)
	os.Chown(file, uid, gid)
	past := time.Now().Add(-time.Minute) // qmail-pop3d lists no message of this second
	os.Chtimes(file, past, past)
	for password, want := range map[string]string{"pencil 1": "+OK", "pencil 2": "-ERR authorization failed"} {
		here, there, err := pair()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bin+"qmail-popup", "m.test", "checkpassword", bin+"qmail-pop3d", "Maildir")
		cmd.Env = append(os.Environ(), "PATH="+bin+":/usr/bin:/bin")
		cmd.Stdin, cmd.Stdout = there, there
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		there.Close()
		r := bufio.NewReader(here)
		io.WriteString(here, "USER "+user.Name+"\r\nPASS "+password+"\r\n")
		var l string
		for range 3 {
			l, _ = r.ReadString('\n')
		}
		if !strings.HasPrefix(l, want) {
			t.Errorf("%s: %q", password, l)
		}
		io.WriteString(here, "STAT\r\nQUIT\r\n")
		if l, _ := r.ReadString('\n'); password == "pencil 1" && !strings.HasPrefix(l, "+OK 1 ") {
			t.Errorf("%s: STAT: %q", password, l)
		}
		here.Close()
		cmd.Wait()
	}

	os.WriteFile(conf.Home()+"/control/authcheck", []byte(bin+"checkpassword true\n"), 0o644)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin + "qmail-authd")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var c *authproto.Client
	poll.Until(t, "qmail-authd listens", func() bool {
		c, err = authproto.Dial(conf.Home() + "/run/auth")
		return err == nil
	})
	defer c.Close()
	for password, want := range map[string]authproto.State{"pencil 1": authproto.OK, "pencil 2": authproto.Fail} {
		s, err := c.Begin(authproto.Request{Service: "smtp", Mechanism: "PLAIN", Secured: true, RemoteIP: "192.0.2.1",
			Initial: []byte("\x00" + user.Name + "\x00" + password), HasInitial: true})
		if err != nil || s.State != want || s.Temporary {
			b, _ := os.ReadFile(log.Name())
			t.Errorf("%s: %+v %v %s", password, s, err, b)
		}
	}
}

// pair makes both ends of a connection.
func pair() (net.Conn, *os.File, error) {
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(p[0])
	f := os.NewFile(uintptr(p[0]), "here")
	defer f.Close()
	c, err := net.FileConn(f)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(poll.Limit))
	}
	return c, os.NewFile(uintptr(p[1]), "there"), err
}
