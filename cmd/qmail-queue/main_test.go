package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

// The setuid owner of the program, and its caller, in tests that root runs. Neither needs to be anybody's.
const owner, someone = 64101, 64102

// A home is a qmail home with nothing but a queue and this program, built for it.
type home struct {
	t       *testing.T
	dir     string
	program string
	root    bool
	asked   string // what is to stand behind the envelope, without the number of the message
}

// homeDir is where the program of this run of the tests is built for.
var homeDir = os.Getenv("QUEUE_TEST_HOME")

func TestMain(m *testing.M) {
	made := homeDir == ""
	if made {
		var err error
		if homeDir, err = os.MkdirTemp("", "qmail-queue"); err == nil {
			err = build()
		}
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}
	code := m.Run()
	if made {
		os.RemoveAll(homeDir)
	}
	os.Exit(code)
}

// build builds the program with homeDir for its home.
func build() error {
	confFile, err := filepath.Abs("../../conf/conf-qmail")
	if err != nil {
		return err
	}
	ours, list := filepath.Join(homeDir, "conf-qmail"), filepath.Join(homeDir, "overlay.json")
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{confFile: ours}})
	os.Chmod(homeDir, 0o755)
	os.WriteFile(ours, []byte(homeDir+"\n"), 0o644)
	os.WriteFile(list, overlay, 0o644)
	c := exec.Command("go", "build", "-overlay", list, "-o", filepath.Join(homeDir, "bin/qmail-queue"), ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	return c.Run()
}

func newHome(t *testing.T) *home {
	h := &home{t: t, dir: homeDir, program: filepath.Join(homeDir, "bin/qmail-queue"), root: os.Getuid() == 0}
	h.makeTree()
	if h.root {
		h.chown(h.program)
		os.Chmod(h.program, 0o755|fs.ModeSetuid)
	}
	return h
}

func (h *home) makeTree() {
	dirs := []string{"bin", "queue", "queue/pid", "queue/intd", "queue/todo", "queue/lock", "queue/mess"}
	for i := range conf.Split() {
		dirs = append(dirs, "queue/mess/"+strconv.FormatUint(i, 10))
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if h.root {
			h.chown(filepath.Join(h.dir, d))
		}
	}
}

func (h *home) chown(path string) {
	if err := os.Chown(path, owner, owner); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) write(name, text string) {
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// command runs the program, or a shell command that ends in it, as an ordinary user.
func (h *home) command(args ...string) *exec.Cmd {
	if len(args) == 0 {
		args = []string{h.program}
	}
	c := exec.Command(args[0], args[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "QQ=" + h.program}
	if h.root {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someone, Gid: someone}}
	}
	return c
}

const (
	testText     = "Subject: x\n\nbody\n"
	testEnvelope = "Fa@b\x00Tc@d\x00\x00"
)

// feed starts c with a message and an envelope in files, waits, and returns its exit code, -1 for a signal.
func (h *home) feed(c *exec.Cmd, text, env string) int {
	h.write("text", text)
	h.write("env", env)
	files := make([]*os.File, 2)
	for i, name := range []string{"text", "env"} {
		f, err := os.Open(filepath.Join(h.dir, name))
		if err != nil {
			h.t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	c.Stdin, c.Stdout = files[0], files[1]
	c.Run()
	return c.ProcessState.ExitCode()
}

// check looks at the queue after a run that ended with code: a message is in todo exactly when that is 0, whole and
// ours. It empties the queue and returns the number of files that were left besides.
func (h *home) check(what string, code int, text string) int {
	h.t.Helper()
	queued, others := 0, 0
	err := filepath.WalkDir(filepath.Join(h.dir, "queue"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if uid, _ := sys.Owner(fi); h.root && uid != owner {
			h.t.Errorf("%s: %s belongs to %d", what, path, uid)
		}
		if fi.Mode() != 0o644 {
			h.t.Errorf("%s: %s has mode %v", what, path, fi.Mode())
		}
		if filepath.Base(filepath.Dir(path)) == "todo" {
			queued++
			h.whole(what, d.Name(), path, text)
		} else {
			others++
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
	if (code == 0) != (queued == 1) {
		h.t.Errorf("%s: exit code %d, and %d messages in todo", what, code, queued)
	}
	filepath.WalkDir(filepath.Join(h.dir, "queue"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			os.Remove(path)
		}
		return nil
	})
	return others
}

func (h *home) whole(what, name, todo, text string) {
	n, _ := strconv.ParseUint(name, 10, 64)
	mess, err := os.ReadFile(filepath.Join(h.dir, "queue/mess", strconv.FormatUint(n%conf.Split(), 10), name))
	if err != nil || !bytes.HasPrefix(mess, []byte("Received: (qmail ")) ||
		!bytes.HasSuffix(mess, []byte(" -0000\n"+text)) {
		h.t.Errorf("%s: message %.200q, %v", what, mess, err)
	}
	env, err := os.ReadFile(todo)
	uid := os.Getuid()
	if h.root {
		uid = someone
	}
	head := []byte("u" + strconv.Itoa(uid) + "\x00p")
	pid, _, _ := bytes.Cut(bytes.TrimPrefix(env, head), []byte{0})
	asked := strings.ReplaceAll(h.asked, "p;", "p"+string(pid)+";")
	if err != nil || !bytes.HasPrefix(env, head) || !bytes.HasSuffix(env, []byte("\x00Fa@b\x00Tc@d\x00"+asked)) {
		h.t.Errorf("%s: envelope %q, %v", what, env, err)
	}
}

func TestAHostileCallerGetsTheDocumentedExitCodeAndNeverAHalfMessage(t *testing.T) {
	h := newHome(t)
	for _, c := range []struct {
		name, shell string
		codes       []int
	}{
		{"plain", `exec "$QQ"`, []int{0}},
		{"arguments", `exec "$QQ" -x --help "$(printf %030000d 1)"`, []int{0}},
		{"no message", `exec "$QQ" 0<&-`, []int{54}},
		{"no envelope", `exec "$QQ" 1<&-`, []int{54}},
		{"neither", `exec "$QQ" 0<&- 1<&- 2<&-`, []int{54}},
		{"no descriptor 2", `exec "$QQ" 2<&-`, []int{0}},
		{"a folder for a message", `exec "$QQ" 0</`, []int{54}},
		{"a folder for an envelope", `exec "$QQ" 1</`, []int{54}},
		{"a message open for writing only", `exec "$QQ" 0>/dev/null`, []int{54}},
		{"umask 777", `umask 777; exec "$QQ"`, []int{0}},
		{"umask 0", `umask 0; exec "$QQ"`, []int{0}},
		{"cwd gone", `d=$(mktemp -d); cd $d; rmdir $d; exec "$QQ"`, []int{0}},
		{"file size 0", `exec prlimit --fsize=0 "$QQ"`, []int{53}},
		{"file size 40", `exec prlimit --fsize=40 "$QQ"`, []int{53}},
		{"file size 40, signal blocked", `exec env --block-signal=XFSZ prlimit --fsize=40 "$QQ"`, []int{53}},
		{"no file at all", `exec prlimit --nofile=0 "$QQ"`, []int{2, 54, 63}},
		{"3 files", `exec prlimit --nofile=3 "$QQ"`, []int{2, 63}},
		{"4 files", `exec prlimit --nofile=4 "$QQ"`, []int{0, 2, 63, 64, 65}},
		{"5 files", `exec prlimit --nofile=5 "$QQ"`, []int{0, 2, 53, 63, 65}},
		{"1 process", `exec prlimit --nproc=1 "$QQ"`, []int{0, 2}},
		{"100 MB of addresses", `exec prlimit --as=100000000 "$QQ"`, []int{0, 2}},
		{"1 MB of data", `exec prlimit --data=1000000 "$QQ"`, []int{0, 2, -1}},
		{"no core, no cpu", `exec prlimit --core=0 --cpu=1 "$QQ"`, []int{0}},
		{"signals ignored", `exec env --ignore-signal "$QQ"`, []int{0}},
		{"signals blocked", `exec env --block-signal "$QQ"`, []int{0}},
		{"no environment", `exec env -i "$QQ"`, []int{0}},
		{"GODEBUG", `GODEBUG=gctrace=1,schedtrace=1,madvdontneed=1,inittrace=1,asyncpreemptoff=1 exec "$QQ"`, []int{0}},
		{"GOGC", `GOGC=1 exec "$QQ"`, []int{0}},
		{"GOGC off", `GOGC=off exec "$QQ"`, []int{0}},
		{"GOGC nonsense", `GOGC=-99999999999999999999 exec "$QQ"`, []int{0, 2}},
		{"GOMEMLIMIT", `GOMEMLIMIT=1 exec "$QQ"`, []int{0, 2}},
		{"GOMEMLIMIT nonsense", `GOMEMLIMIT=x exec "$QQ"`, []int{2}},
		{"GOTRACEBACK", `GOTRACEBACK=crash exec "$QQ"`, []int{0}},
		{"GOMAXPROCS", `GOMAXPROCS=1 exec "$QQ"`, []int{0}},
		{"GOCOVERDIR", `GOCOVERDIR=/tmp exec "$QQ"`, []int{0}},
		{"TMPDIR", `TMPDIR=/nonexistent exec "$QQ"`, []int{0}},
		{"TZ", `TZ=/etc/shadow exec "$QQ"`, []int{0}},
		{"TZ, too", `TZ=:../../../../../etc/passwd ZONEINFO=/etc/passwd exec "$QQ"`, []int{0}},
		{"descriptor 3 is not a parent's", `exec "$QQ" 3</dev/null`, []int{0}},
	} {
		code := h.feed(h.command("/bin/sh", "-c", c.shell), testText, testEnvelope)
		known := false
		for _, want := range c.codes {
			known = known || code == want
		}
		if !known {
			t.Errorf("%s: exit code %d, want one of %v", c.name, code, c.codes)
		}
		if left := h.check(c.name, code, testText); code == 53 || code == 54 {
			if left != 0 {
				t.Errorf("%s: %d files are left", c.name, left)
			}
		}
	}
}

func TestEnvelopesThatAreNotAllRightAreRefusedByTheirCodes(t *testing.T) {
	h := newHome(t)
	long := strings.Repeat("a", 1003)
	for _, c := range []struct {
		env  string
		code int
		left int // files
	}{
		{"", 54, 0}, {"Fa@b", 54, 0}, {"Fa@b\x00", 54, 0}, {"Fa@b\x00Tc@d\x00", 54, 0},
		{"\x00", 91, 2}, {"Ta@b\x00\x00", 91, 2}, {"Fa@b\x00Fc@d\x00\x00", 91, 2},
		{"F" + long + "\x00\x00", 11, 2}, {"Fa@b\x00T" + long + "\x00\x00", 11, 2},
	} {
		code := h.feed(h.command(), testText, c.env)
		if left := h.check(c.env, code, testText); code != c.code || left != c.left {
			t.Errorf("%.20q: exit code %d, %d files left", c.env, code, left)
		}
	}
}

func TestWhatFollowsTheEnvelopeIsTakenByThoseWhoSayThatItDoes(t *testing.T) {
	h := newHome(t)
	const asked = "p;RET=HDRS;ENVID=a+2Bb\x00p;N=0;NOTIFY=NEVER;ORCPT=rfc822+3Bc@d\x00"
	for _, c := range []struct {
		argument, more, queued string
		code, left             int // files of one that is refused
	}{
		{"dsn", asked + "\x00", asked, 0, 1}, {"dsn", "", "", 0, 1}, {"dsn", "\x00", "", 0, 1},
		{"dsn", "p;n=1;X=y;N=0;NOTIFY=delay,Success\x00\x00", "p;N=0;NOTIFY=SUCCESS,DELAY\x00", 0, 1},
		{"-dsn", asked + "\x00", "", 0, 1},
		{"dsn", asked, "", 54, 0}, {"dsn", "p;RET", "", 54, 0},
		{"dsn", "p;N=1;NOTIFY=NEVER\x00\x00", "", 91, 2}, {"dsn", "x", "", 91, 2},
		{"dsn", strings.Repeat("p;N=0;NOTIFY=NEVER\x00", 2), "", 91, 2},
	} {
		h.asked = c.queued
		code := h.feed(h.command(h.program, c.argument), testText, testEnvelope+c.more)
		if left := h.check(c.more, code, testText); code != c.code || left != c.left && code != 0 {
			t.Errorf("%s %q: exit code %d, %d files left", c.argument, c.more, code, left)
		}
	}
}

func TestALargeMessageIsQueuedWhole(t *testing.T) {
	h := newHome(t)
	text := strings.Repeat("0123456789abcde\n", 1<<17)
	code := h.feed(h.command(), text, testEnvelope)
	if h.check("2 MB", code, text); code != 0 {
		t.Error(code)
	}
}

func TestSignalsHaveTheirExitCodes(t *testing.T) {
	h := newHome(t)
	for _, c := range []struct {
		signal syscall.Signal
		code   int // -1: the signal ends the process; 0: it does nothing
	}{
		{syscall.SIGALRM, 52}, {syscall.SIGABRT, 81}, {syscall.SIGSEGV, 81}, {syscall.SIGBUS, 81}, {syscall.SIGILL, 81},
		{syscall.SIGFPE, 81}, {syscall.SIGSYS, 81}, {syscall.SIGHUP, 0}, {syscall.SIGINT, 0}, {syscall.SIGQUIT, 0},
		{syscall.SIGXCPU, 0}, {syscall.SIGXFSZ, 0}, {syscall.SIGPROF, 0}, {syscall.SIGVTALRM, 0}, {syscall.SIGPIPE, 0},
		{syscall.SIGTERM, -1}, {syscall.SIGKILL, -1},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		h.write("env", testEnvelope)
		env, err := os.Open(filepath.Join(h.dir, "env"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := h.command()
		cmd.Stdin, cmd.Stdout = r, env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		env.Close()
		h.waitForMess()
		cmd.Process.Signal(c.signal)
		if c.code == 0 {
			poll.Until(t, "the signal is taken", func() bool {
				status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
				return bytes.Contains(status, []byte("\nShdPnd:\t0000000000000000\n"))
			})
			io.WriteString(w, testText)
			w.Close()
		}
		cmd.Wait()
		w.Close()
		code := cmd.ProcessState.ExitCode()
		if h.check(c.signal.String(), code, testText); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.signal, code, c.code)
		}
	}
}

// waitForMess waits until the program has made its message file.
func (h *home) waitForMess() {
	h.t.Helper()
	poll.Until(h.t, "there is a message file", func() bool {
		m, _ := filepath.Glob(filepath.Join(h.dir, "queue/mess/*/*"))
		return len(m) > 0
	})
}

func TestAnEmptyPipeThatDoesNotBlockIsWaitedFor(t *testing.T) {
	h := newHome(t)
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		syscall.SetNonblock(fd, true)
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	h.write("env", testEnvelope)
	env, err := os.Open(filepath.Join(h.dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	cmd := h.command()
	cmd.Stdin, cmd.Stdout = r, env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	h.waitForMess()
	for i := range len(testText) {
		poll.Until(t, "it waits for more", func() bool { return poll.Asleep(cmd.Process.Pid) })
		w.Write([]byte{testText[i]})
	}
	w.Close()
	cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	if h.check("slow", code, testText); code != 0 {
		t.Error(code)
	}
}
