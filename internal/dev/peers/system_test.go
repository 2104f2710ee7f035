//go:build linux

package peers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	if testqmail.IsMachine() {
		os.Exit(testqmail.RunMachine())
	}
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// inside begins a test that needs programs: it reports whether it runs in its world, as testqmail.Inside.
func inside(t *testing.T, programs ...string) bool {
	t.Helper()
	t.Parallel()
	testqmail.Need(t, programs...)
	return testqmail.Inside(t)
}

// qmail is a machine with the suite on it.
type qmail struct {
	*testqmail.Machine
	t    *testing.T
	name string
	mu   sync.Mutex
	log  bytes.Buffer
	send *exec.Cmd
	env  []string // what qmail is started with, PATH aside
}

// here is the world itself.
func here(t *testing.T) *qmail {
	return &qmail{Machine: &testqmail.Machine{Name: testqmail.Host}, t: t, name: testqmail.Host}
}

func home(name string) string { return filepath.Join(conf.Home(), name) }

// write writes a file of the machine.
func (q *qmail) write(name, text string) {
	q.t.Helper()
	if err := os.WriteFile(q.Path(name), []byte(text), 0o644); err != nil {
		q.t.Fatal(err)
	}
}

// control writes control files, given by name and text.
func (q *qmail) control(pairs ...string) {
	q.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		q.write(home("control/"+pairs[i]), pairs[i+1])
	}
}

// configure makes the control files that config-fast makes, and root's aliases.
func (q *qmail) configure() {
	q.t.Helper()
	q.control("me", q.name+"\n", "locals", q.name+"\nlocalhost\n", "rcpthosts", q.name+"\nlocalhost\n", "defaultdomain",
		"test\n", "plusdomain", "test\n")
	for _, n := range []string{"postmaster", "mailer-daemon", "root"} {
		q.write(home("alias/.qmail-"+n), "./Mailbox\n")
	}
}

// Write takes the log.
func (q *qmail) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.log.Write(b)
}

// start starts qmail with a Maildir for everybody.
func (q *qmail) start(args ...string) {
	q.t.Helper()
	if len(args) == 0 {
		args = []string{"./Maildir/"}
	}
	q.send = q.Command("root", append([]string{home("bin/qmail-start")}, args...)...)
	q.send.Env = append([]string{"PATH=" + home("bin") + ":/usr/local/bin:/usr/bin:/bin"}, q.env...)
	q.send.Stdout, q.send.Stderr = q, q
	if err := q.send.Start(); err != nil {
		q.t.Fatal(err)
	}
	q.wait("qmail to start", func() bool { return strings.Contains(q.text(), "status:") })
}

// stop ends the daemons as an administrator does.
func (q *qmail) stop() {
	q.t.Helper()
	q.signal("TERM")
	if err := q.send.Wait(); err != nil {
		q.t.Errorf("qmail-send: %v", err)
	}
}

// signal sends qmail-send a signal.
func (q *qmail) signal(name string) {
	q.t.Helper()
	q.must("root", "/bin/sh", "-c", "kill -"+name+" "+fmt.Sprint(q.sendPid()))
}

// sendPid finds qmail-send as the machine sees it.
func (q *qmail) sendPid() int {
	for _, p := range q.processes() {
		if p.program == "qmail-send" {
			return p.pid
		}
	}
	q.t.Fatal("qmail-send does not run")
	return 0
}

// text returns the log so far.
func (q *qmail) text() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.log.String()
}

// waitLog waits for lines that re matches.
func (q *qmail) waitLog(re string) {
	q.t.Helper()
	find := regexp.MustCompile(re)
	q.wait("log line "+re, func() bool { return find.MatchString(q.text()) })
}

// wait waits until fn is true.
func (q *qmail) wait(what string, fn func() bool) {
	q.t.Helper()
	poll.Until(q.t, q.name+": "+what, fn, func() string { return tail(q.text()) })
}

func tail(s string) string {
	if len(s) > 8000 {
		return "..." + s[len(s)-8000:]
	}
	return s
}

// run runs a command with input.
func (q *qmail) run(user, input string, args ...string) (string, error) {
	cmd := q.Command(user, args...)
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(input), 10*time.Second
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	late := time.AfterFunc(poll.Limit, func() { cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) { // it has ended well, and left a daemon with its output
		err = nil
	}
	return out.String(), err
}

// must runs a command that succeeds, and returns its output.
func (q *qmail) must(user string, args ...string) string {
	q.t.Helper()
	return q.feed(user, "", args...)
}

// feed is must with input.
func (q *qmail) feed(user, input string, args ...string) string {
	q.t.Helper()
	out, err := q.run(user, input, args...)
	if err != nil {
		q.t.Fatalf("%s: %s %q: %v\n%s\nthe log:\n%s", q.name, user, args, err, tail(out), tail(q.text()))
	}
	return out
}

// sh runs a shell command as root.
func (q *qmail) sh(command string) string {
	q.t.Helper()
	return q.must("root", "/bin/sh", "-ec", command)
}

// daemon starts a command that runs until the test ends, or stop is called; its output is in the file.
func (q *qmail) daemon(user string, args ...string) (out *output, stop func()) {
	q.t.Helper()
	cmd := q.Command(user, args...)
	out = &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		q.t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		})
	}
	q.t.Cleanup(stop)
	return out, stop
}

// output is what a daemon prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// A process of the machine that runs a program of ours.
type process struct {
	pid     int
	program string
	uid     int
}

// processes lists the processes of the machine that run programs of HOME/bin.
func (q *qmail) processes() []process {
	var list []process
	links, _ := filepath.Glob(q.Path("/proc/[0-9]*/exe"))
	for _, l := range links {
		to, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(to, home("bin/")) && !strings.Contains(to, "/qmail/bin/") {
			continue
		}
		dir := filepath.Dir(l)
		p := process{program: strings.TrimSuffix(filepath.Base(to), " (deleted)")}
		fmt.Sscan(filepath.Base(dir), &p.pid)
		status, _ := os.ReadFile(dir + "/status")
		if i := bytes.Index(status, []byte("\nUid:")); i >= 0 {
			fmt.Sscan(string(status[i+5:]), &p.uid)
		}
		list = append(list, p)
	}
	return list
}

// programs lists the names of the running programs of ours, sorted.
func (q *qmail) programs() []string {
	var names []string
	for _, p := range q.processes() {
		names = append(names, p.program)
	}
	sort.Strings(names)
	return names
}

// daemonsRun reports whether the four daemons, and nothing else, run.
func (q *qmail) daemonsRun() bool {
	return slices.Equal(q.programs(), []string{"qmail-clean", "qmail-lspawn", "qmail-rspawn", "qmail-send"})
}

// waitPort waits until something accepts at the address.
func waitPort(t *testing.T, addr string) {
	t.Helper()
	poll.Until(t, addr+" accepts a connection", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// header returns the values of a message's header fields of a name.
func header(message, name string) []string {
	var values []string
	for _, l := range strings.Split(message, "\n") {
		if l == "" {
			break
		}
		if v, ok := strings.CutPrefix(l, name+": "); ok {
			values = append(values, v)
		}
	}
	return values
}
