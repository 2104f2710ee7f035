package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys/passwd"
	"qmail/internal/text/peerlog"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "qmail-smtpsd" {
		os.Exit(int(secured()))
	}
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

// controls writes control files.
func controls(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(home("control/"+name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// asDaemon makes cmd run as qmaild.
func asDaemon(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	e, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(e.UID), Gid: uint32(e.GID)}}
}

// run starts cmd and ends it with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
}

// dialAgain connects as soon as someone listens.
func dialAgain(t *testing.T, address string) net.Conn {
	t.Helper()
	var c net.Conn
	poll.Until(t, address+" accepts a connection", func() bool {
		var err error
		c, err = net.Dial("tcp", address)
		return err == nil
	})
	c.SetDeadline(time.Now().Add(poll.Limit))
	t.Cleanup(func() { c.Close() })
	return c
}

// talk sends one line after the other and returns the last line of each reply, the banner first.
func talk(t *testing.T, c net.Conn, lines ...string) (replies []string) {
	t.Helper()
	r := bufio.NewReader(c)
	read := func() {
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("after %q: %v", replies, err)
			}
			if len(l) < 4 || l[3] != '-' {
				replies = append(replies, strings.TrimRight(l, "\r\n"))
				return
			}
		}
	}
	read()
	for _, l := range lines {
		io.WriteString(c, l+"\r\n")
		if !strings.HasPrefix(l, "Subject:") && l != "" {
			read()
		}
	}
	if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
		t.Errorf("after the end: %q, %v", b, err)
	}
	return replies
}

// waiting returns the messages that wait to be preprocessed: what was accepted while no qmail-send runs.
func waiting(t *testing.T) []string {
	t.Helper()
	files, _ := filepath.Glob(home("queue/todo/*"))
	return files
}

// The line is that of INSTALL step 23, the dialogue that of step 28.
func TestInetdServesTheDialogueOfTheManual(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testqmail.Need(t, "inetd")
	controls(t, map[string]string{"me": "domain\n"})
	line := "smtp stream tcp nowait qmaild " + home("bin/tcp-env") + " tcp-env " + home("bin/qmail-smtpd") + "\n"
	if err := os.WriteFile("/run/inetd.conf", []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("inetd", "-d", "/run/inetd.conf"))
	c := dialAgain(t, "127.0.0.1:25")
	got := talk(t, c, "helo dude", "mail", "rcpt", "data", "Subject: testing", "", ".", "quit")
	want := []string{"220 domain ESMTP", "250 8BITMIME", "250 ok", "250 ok", "354 go ahead", "250 ok ", "221 domain"}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) || w != "250 ok " && got[i] != w {
			t.Errorf("reply %d: %q, want %q", i, got[i], w)
		}
	}
	if n := len(waiting(t)); n != 1 {
		t.Errorf("%d messages are queued", n)
	}
}

// listening starts a tcp-env with a listening socket, as qmaild. Systemd hands it over as descriptor 3.
func listening(t *testing.T, host string, systemd bool, args ...string) (address string, cmd *exec.Cmd) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	args = append([]string{home("bin/tcp-env")}, args...)
	if systemd {
		args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh"}, args...)
	}
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "RELAYCLIENT=")
	asDaemon(t, cmd)
	if systemd {
		cmd.ExtraFiles = []*os.File{f}
	} else {
		cmd.Stdin = f
	}
	run(t, cmd)
	return l.Addr().String(), cmd
}

// processes returns how many processes there are with this first argument.
func processes(name string) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, _ := os.ReadFile(f); strings.HasPrefix(string(b), name+"\x00") {
			n++
		}
	}
	return n
}

func TestListeningTcpEnvServesMailByWorkersThatEndWhenIdle(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	controls(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n"})
	for _, c := range []struct {
		host    string
		systemd bool
	}{{"127.0.0.1", false}, {"127.0.0.1", true}, {"::1", false}} {
		address, cmd := listening(t, c.host, c.systemd, home("bin/qmail-smtpd"))
		before := len(waiting(t))
		const messages = 40
		for range messages {
			got := talk(t, dialAgain(t, address), "EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<c@far.test>", "DATA",
				"Subject: x", "", ".", "QUIT")
			if !strings.HasPrefix(got[5], "250 ok ") {
				t.Fatalf("%q", got)
			}
		}
		if n := len(waiting(t)) - before; n != messages {
			t.Errorf("%+v: %d messages are queued", c, n)
		}
		if processes("qmail-smtpd") == 0 {
			t.Errorf("%+v: no worker has served", c)
		}
		poll.Until(t, "idle workers end", func() bool { return processes("qmail-smtpd")+processes("qmail-queue") == 0 })
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestListeningTcpEnvStartsForeignProgramsForEachConnection(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	address, _ := listening(t, "127.0.0.1", false, "-R", "sh", "-c",
		`echo "$PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALPORT ${LISTEN_FDS-none}"; id -un`)
	for range 3 {
		c := dialAgain(t, address)
		b, err := io.ReadAll(c)
		_, port, _ := net.SplitHostPort(address)
		want := fmt.Sprintf("TCP 127.0.0.1 %d %s none\nqmaild\n", c.LocalAddr().(*net.TCPAddr).Port, port)
		if err != nil || string(b) != want {
			t.Errorf("%q, %v; want %q", b, err, want)
		}
	}
}

// connection returns both ends of a connection; that of a server is a file.
func connection(t *testing.T) (client net.Conn, server *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client = dialAgain(t, l.Addr().String())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if server, err = c.(*net.TCPConn).File(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestAProgramThatCannotBeRunIsNamedInTheLogAndNeverToTheClient(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	if err := os.WriteFile("/tmp/script", []byte("#!/none\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program, want string
		inetd         bool // descriptor 2 is the connection, too
	}{
		{program: "/none/smtpd", want: "unable to run, file does not exist: program </none/smtpd>\n"},
		{program: "/tmp/script", want: "unable to run, file does not exist: program </tmp/script>\n"},
		{program: "/etc/passwd", want: "unable to run, access denied: program </etc/passwd>\n"},
		{program: "no such", want: "unable to run, file does not exist: program <no_such>\n"},
		{program: "/none/smtpd", inetd: true},
	} {
		client, server := connection(t)
		var log strings.Builder
		cmd := exec.Command(home("bin/tcp-env"), "-R", c.program)
		cmd.Env = append(os.Environ(), peerlog.Variable+"=")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = server, server, &log
		if c.inetd {
			cmd.Stderr = server
		}
		asDaemon(t, cmd)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 111 {
			t.Errorf("%q: %v", c.program, err)
		}
		server.Close()
		if b, err := io.ReadAll(client); err != nil || len(b) > 0 {
			t.Errorf("%q: the client reads %q, %v", c.program, b, err)
		}
		head := "tcp-env: 127.0.0.1 pid " + strconv.Itoa(cmd.ProcessState.Pid()) + ": "
		if got, ours := strings.CutPrefix(log.String(), head); got != c.want || ours != (c.want != "") {
			t.Errorf("%q: the log has %q", c.program, log.String())
		}
	}
}

// Under load each worker has the descriptors it was started with, its link to tcp-env, those of the runtime and no
// other.
func TestNothingOfOneClientIsLeftInTheWorkers(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	controls(t, map[string]string{"me": "m.test\n"})
	address, _ := listening(t, "127.0.0.1", false, home("bin/qmail-smtpd"))
	for i := range 60 {
		c := dialAgain(t, address)
		switch i % 3 {
		case 0:
			talk(t, c, "EHLO first", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "QUIT")
		case 1:
			io.WriteString(c, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\nRCPT TO:<evil@d>\r\n")
			io.ReadAll(c)
		case 2:
			if got := talk(t, c, "RCPT TO:<c@d>", "DATA", "QUIT"); got[1][:3] != "503" || got[2][:3] != "503" {
				t.Errorf("session %d began in the middle of another: %q", i, got)
			}
		}
	}
	if len(workerSockets()) == 0 {
		t.Error("there is no worker")
	}
	// The last session may not have ended yet.
	poll.Until(t, "no worker has a socket but its link", func() bool {
		return !slices.ContainsFunc(workerSockets(), func(n int) bool { return n > 1 })
	})
}

// workerSockets returns how many sockets each worker has.
func workerSockets() (each []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if string(b) != "qmail-smtpd\x00" {
			continue
		}
		fds, _ := filepath.Glob(filepath.Dir(f) + "/fd/*")
		sockets := 0
		for _, fd := range fds {
			if to, _ := os.Readlink(fd); strings.HasPrefix(to, "socket:") {
				sockets++
			}
		}
		each = append(each, sockets)
	}
	return each
}

func TestTcpserverAndSwaksAgreeWithQmailSmtpd(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testqmail.Need(t, "tcpserver")
	testqmail.Need(t, "swaks")
	controls(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n"})
	e, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("tcpserver", "-H", "-R", "-l", "0", "-u", strconv.Itoa(e.UID), "-g", strconv.Itoa(e.GID),
		"127.0.0.1", "25", home("bin/qmail-smtpd")))
	dialAgain(t, "127.0.0.1:25").Close()
	swaks := func(args ...string) (string, error) {
		b, err := exec.Command("swaks",
			append([]string{"--server", "127.0.0.1", "--from", "a@b.test"}, args...)...).CombinedOutput()
		return string(b), err
	}
	if out, err := swaks("--to", "x@ours.test", "--pipeline"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := swaks("--to", "x@far.test"); err == nil ||
		!strings.Contains(out, "553 sorry, that domain isn't in my list") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(waiting(t)); n != 1 {
		t.Errorf("%d messages are queued", n)
	}
}
