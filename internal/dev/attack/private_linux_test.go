package attack

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// spied names a process to a spy.
const spied = "QMAIL_TEST_SPY"

// spy prints what it can see of a process, or do with it.
func spy(pid string) {
	dir := "/proc/" + pid + "/"
	for _, name := range []string{"environ", "mem", "maps", "auxv", "stack"} {
		if f, err := os.Open(dir + name); err == nil {
			_, err := f.Read(make([]byte, 1))
			if f.Close(); err == nil || name == "mem" {
				os.Stdout.WriteString(name + "\n")
			}
		}
	}
	for _, name := range []string{"fd", "map_files"} {
		if list, _ := os.ReadDir(dir + name); len(list) > 0 {
			os.Stdout.WriteString(name + "\n")
		}
	}
	for _, name := range []string{"exe", "cwd", "root"} {
		if _, err := os.Readlink(dir + name); err == nil {
			os.Stdout.WriteString(name + "\n")
		}
	}
	runtime.LockOSThread()
	n, _ := strconv.Atoi(pid)
	if syscall.PtraceAttach(n) == nil {
		syscall.Wait4(n, nil, 0, nil)
		syscall.PtraceDetach(n)
		os.Stdout.WriteString("ptrace\n")
	}
}

func as(cmd *exec.Cmd, user string) *exec.Cmd {
	uid, gid, _ := testqmail.Account(user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}

// seen returns what a process of user sees of another.
func seen(user string, pid int) string {
	cmd := as(exec.Command("/proc/self/exe"), user)
	cmd.Env = []string{spied + "=" + strconv.Itoa(pid)}
	out, err := cmd.Output()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// TestNoProcessOfTheSameUserSeesIntoAServer looks at servers as a program would that has taken over another process
// of their user.
func TestNoProcessOfTheSameUserSeesIntoAServer(t *testing.T) {
	if !inWorld(t) {
		return
	}
	makeMaildir(t)
	ident, err := net.Listen("tcp", "127.0.9.1:113") // takes a question and is silent
	if err != nil {
		t.Fatal(err)
	}
	defer ident.Close()
	names := conf.UserNames()
	s := start(t) // a listening tcp-env, with a worker
	c, err := s.dial("127.0.9.2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Read(make([]byte, 1))

	type server struct {
		user, spy string
		args      []string
	}
	for _, x := range []server{
		{names.Daemon, names.Daemon, []string{"qmail-smtpd"}},
		{names.Daemon, names.Daemon, []string{"qmail-qmtpd"}},
		{names.Daemon, names.Daemon, []string{"qmail-qmqpd"}},
		{names.Daemon, names.Daemon, []string{"tcp-env", "-r", "-t600", "qmail-smtpd"}},
		{names.Daemon, names.Daemon, []string{"qmail-popup", "m.test", "/bin/false"}},
		{"root", names.Daemon, []string{"qmail-popup", "m.test", "/bin/false"}},
		{"orcjoe", "orcjoe", []string{"qmail-pop3d", maildir()}},
		{"orcjoe", "orcjoe", []string{"qmail-queue"}},
	} {
		l, err := net.Listen("tcp", "127.0.9.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, 1)}}
		client, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		f, err := conn.(*net.TCPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		cmd := as(exec.Command(filepath.Join(conf.Home(), "bin", x.args[0]), x.args[1:]...), x.user)
		cmd.Env, cmd.Stdin, cmd.Stdout = []string{"PATH=" + conf.Home() + "/bin"}, f, f
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		asleep := func() bool {
			exe, _ := os.Readlink("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/exe")
			return strings.HasPrefix(exe, conf.Home()) && poll.Asleep(cmd.Process.Pid)
		}
		locked := poll.Within(poll.Limit/10, func() bool { return asleep() && seen(x.spy, cmd.Process.Pid) == "" })
		if !locked {
			t.Errorf("%v: another process sees %q", x.args, seen(x.spy, cmd.Process.Pid))
		}
		if x.user == "root" { // the one that talks is started by it
			poll.Until(t, "a child that talks", func() bool { return len(children(cmd.Process.Pid)) == 1 })
			talker := children(cmd.Process.Pid)[0]
			if !poll.Within(poll.Limit/10, func() bool { return seen(x.spy, talker) == "" }) {
				t.Errorf("the child of qmail-popup shows %q", seen(x.spy, talker))
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		for _, c := range []interface{ Close() error }{f, conn, client, l} {
			c.Close()
		}
	}
	for _, x := range tasks() {
		if x.name == "tcp-env" || x.name == "qmail-smtpd" {
			if got := seen(names.Daemon, x.pid); got != "" {
				t.Errorf("another process sees of the listening %s: %q", x.name, got)
			}
		}
	}
	plain := as(exec.Command("sleep", "1000"), names.Daemon)
	if err := plain.Start(); err != nil {
		t.Fatal(err)
	}
	defer plain.Process.Kill()
	if got := seen(names.Daemon, plain.Process.Pid); !strings.Contains(got, "environ\n") ||
		!strings.Contains(got, "fd\n") {
		t.Errorf("of any other process it sees only %q", got)
	}
}

func children(pid int) (list []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range all {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			list = append(list, n)
		}
	}
	return list
}
