package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// inWorld reports whether the test runs in a world of its own; else it has been run there by now. The worlds run
// side by side.
func inWorld(t *testing.T) bool {
	if os.Getpid() != 1 {
		t.Parallel()
	}
	return testqmail.Inside(t)
}

// A world is a system at work and what it has accepted.
type world struct {
	t      *testing.T
	daemon *exec.Cmd
	log    string
	start  func() // starts the daemons; replaced by tests that start them in another way

	mu       sync.Mutex
	n        int
	accepted map[int]string // the kind of each message that was accepted: local, remote, bounce
}

// Who gets what: mail for joe, failures of sam's.
const joe, sam = "orcjoe", "orcsam"

func user(name string) testqmail.User {
	for _, u := range testqmail.Users() {
		if u.Name == name {
			return u
		}
	}
	panic(name)
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, log: "/run/log", accepted: map[int]string{}}
	w.control("me", testqmail.Host)
	w.control("locals", testqmail.Host)
	for _, n := range []string{joe, sam} {
		u := user(n)
		w.must(os.WriteFile(u.Home+"/.qmail", []byte("./Maildir/\n"), 0o644))
		for _, d := range []string{"", "/tmp", "/new", "/cur"} {
			w.must(os.Mkdir(u.Home+"/Maildir"+d, 0o700))
			w.must(os.Chown(u.Home+"/Maildir"+d, u.UID, u.UID))
		}
	}
	w.start = func() { w.run("./Mailbox") }
	t.Cleanup(func() {
		if w.daemon != nil {
			w.daemon.Process.Kill()
		}
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) control(name, text string) {
	w.must(os.WriteFile(conf.Home()+"/control/"+name, []byte(text+"\n"), 0o644))
}

// run starts qmail-start.
func (w *world) run(args ...string) { w.command(conf.Home()+"/bin/qmail-start", args...) }

func (w *world) command(name string, args ...string) {
	log, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	w.must(err)
	defer log.Close()
	w.daemon = exec.Command(name, args...)
	w.daemon.Env, w.daemon.Dir = []string{"PATH=" + conf.Home() + "/bin:/usr/bin:/bin"}, "/"
	w.daemon.Stdout, w.daemon.Stderr = log, log
	w.must(w.daemon.Start())
}

// stop ends the daemons with TERM, kill ends qmail-send at once; the others end by themselves.
func (w *world) stop() { w.end(syscall.SIGTERM) }
func (w *world) kill() { w.end(syscall.SIGKILL) }

func (w *world) end(sig syscall.Signal) {
	w.daemon.Process.Signal(sig)
	w.daemon.Wait()
	w.daemon = nil
	w.eventually("the spawners end", func() bool {
		return len(pids("qmail-lspawn"))+len(pids("qmail-rspawn"))+len(pids("qmail-clean")) == 0
	})
}

// pids returns the processes that run a program of bin.
func pids(program string) []int {
	var found []int
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && filepath.Base(to) == program {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(l)))
			found = append(found, n)
		}
	}
	return found
}

func (w *world) eventually(what string, fn func() bool) {
	w.t.Helper()
	poll.Until(w.t, what, fn, w.tail)
}

// tail returns the end of the log.
func (w *world) tail() string {
	b, _ := os.ReadFile(w.log)
	queue, _ := exec.Command("find", conf.Home()+"/queue", "-type", "f", "-not", "-path", "*/fill/*").CombinedOutput()
	return string(b[max(0, len(b)-3000):]) + "\n" + string(queue[:min(len(queue), 2000)])
}

// logged waits for a line of the log.
func (w *world) logged(re string) {
	w.t.Helper()
	find := regexp.MustCompile("(?m)" + re)
	w.eventually("a log line "+re, func() bool {
		b, _ := os.ReadFile(w.log)
		return find.Match(b)
	})
}

// send gives a message to qmail-queue and returns its exit code. Kind is local, remote (a host far away) or bounce
// (nobody here has that name; sam hears of it).
func (w *world) send(kind string) int {
	w.mu.Lock()
	w.n++
	n := w.n
	w.mu.Unlock()
	rcpt := map[string]string{
		"local": joe + "@" + testqmail.Host, "remote": fmt.Sprintf("r%d@far.test", n), "bounce": "nobody@" + testqmail.Host,
	}[kind]
	code := w.queue(number(n), sam+"@"+testqmail.Host, rcpt)
	if code == 0 {
		w.mu.Lock()
		w.accepted[n] = kind
		w.mu.Unlock()
	}
	return code
}

// sendTo sends a message that is not counted.
func (w *world) sendTo(sender string, recipients ...string) int {
	return w.queue(number(0), sender, recipients...)
}

// queue runs qmail-queue as somebody who has nothing to say.
func (w *world) queue(text, sender string, recipients ...string) int {
	c := exec.Command(conf.Home() + "/bin/qmail-queue")
	c.Stdin = strings.NewReader(text)
	c.Env, c.Dir = []string{}, "/"
	c.Stderr = os.Stderr
	r, p, err := os.Pipe()
	w.must(err)
	defer r.Close()
	envelope := "F" + sender + "\x00"
	for _, rcpt := range recipients {
		envelope += "T" + rcpt + "\x00"
	}
	p.WriteString(envelope + "\x00")
	p.Close()
	c.Stdout = r // qmail-queue reads the envelope there
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user("me").UID),
		Gid: uint32(user("me").UID)}}
	c.Run()
	return c.ProcessState.ExitCode()
}

// mustSend sends messages that have to be accepted.
func (w *world) mustSend(kind string, n int) {
	w.t.Helper()
	for range n {
		if code := w.send(kind); code != 0 {
			w.t.Fatalf("qmail-queue: %d", code)
		}
	}
}

// refused sends a message that cannot be taken now: the exit code says to try again, and nothing is left of it.
func (w *world) refused(kind string, codes ...int) {
	w.t.Helper()
	code := w.send(kind)
	for _, c := range codes {
		if c == code {
			return
		}
	}
	w.t.Errorf("qmail-queue: %d, want one of %v", code, codes)
}

// got counts the copies of each message that a user has.
func got(name string) map[int]int {
	found := map[int]int{}
	files, _ := filepath.Glob(user(name).Home + "/Maildir/*/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		i := bytes.LastIndex(b, []byte("Subject: number "))
		if i < 0 {
			continue
		}
		text, _, _ := strings.Cut(string(b[i+len("Subject: number "):]), ".")
		if n, err := strconv.Atoi(text); err == nil && strings.Contains(string(b), "text \n") {
			found[n]++
		}
	}
	return found
}

// outcome counts what has arrived.
func (w *world) outcome() (missing, copies int) {
	local, bounced := got(joe), got(sam)
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, kind := range w.accepted {
		have := local[n]
		if kind != "local" {
			have = bounced[n]
		}
		if have == 0 {
			missing++
		}
		copies += max(0, have-1)
	}
	return missing, copies
}

// settled waits until all that was accepted is delivered or bounced and the queue is empty, and returns how many
// second copies there are. What waits is tried at once.
func (w *world) settled() int {
	w.t.Helper()
	return w.settle(empty)
}

func (w *world) settle(empty func() bool) (copies int) {
	w.t.Helper()
	alarm, missing := time.Now(), 0
	defer func() { w.t.Logf("%d accepted, %d missing, %d second copies", len(w.accepted), missing, copies) }()
	w.eventually("everything accepted is delivered", func() bool {
		if time.Since(alarm) > time.Second {
			for _, p := range pids("qmail-send") {
				syscall.Kill(p, syscall.SIGALRM)
			}
			alarm = time.Now()
		}
		missing, copies = w.outcome()
		return missing == 0 && empty()
	})
	return copies
}

// empty reports whether no message is in the queue.
func empty() bool {
	found, _ := filepath.Glob(conf.Home() + "/queue/mess/*/*")
	return len(found) == 0 && nothingOwed()
}

// nothingOwed reports whether nothing in the queue waits. There may be message files that a process left that was
// killed: nobody was told that they are accepted, or they are delivered. They go after 36 hours.
func nothingOwed() bool {
	for _, p := range []string{"todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
		if found, _ := filepath.Glob(conf.Home() + "/queue/" + p); len(found) > 0 {
			return false
		}
	}
	return true
}

// noCopies says that nothing has been delivered twice.
func (w *world) noCopies(copies int) {
	w.t.Helper()
	if copies > 0 {
		w.t.Errorf("%d second copies\n%s", copies, w.tail())
	}
}

// waiting waits until nothing more happens: the log does not grow for a while. Where it is too short a while the test
// proves less.
func (w *world) waiting() {
	w.t.Helper()
	const rest = 500 * time.Millisecond
	size, since := -1, time.Now()
	w.eventually("the daemons rest", func() bool {
		b, _ := os.ReadFile(w.log)
		if len(b) != size {
			size, since = len(b), time.Now()
		}
		return time.Since(since) > rest
	})
}
