package faults

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/queue"
	"qmail/internal/submit/envelope"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// ioCalls are the system calls that fail with EIO, one after another: those that touch files. (Not close: that one
// closes even when it fails, which strace cannot do.)
const ioCalls = "openat,read,pread64,write,pwrite64,writev,fstat,newfstatat,lseek,fsync,fdatasync,sync_file_range," +
	"link,linkat,unlink,unlinkat,rename,renameat,ftruncate,getdents64,flock,fcntl,utimensat,chdir,pipe2," +
	"socketpair,sendmsg,recvmsg,statfs,readlinkat"

// A run is a program that is run again and again, each time with one more call that fails: in every thread and
// child of it, the n-th call of a name.
type run struct {
	w     *world
	as    testqmail.User // empty: root
	args  []string
	files func() []*os.File // descriptors 0 and 1
	judge func(what string, code int)
	calls string // "": ioCalls
	plain bool   // it starts no set-uid program: strace may have the kernel pass over all other calls, for which it
	// has to give up such rights
}

// nothingFailed is what the first run of each program has for its fault.
const nothingFailed = "nothing failed"

// runLimit is for what hangs.
const runLimit = poll.Limit

// traced runs the program under strace, which injects what inject says, and returns its exit code, -1 for a signal.
func (r run) traced(inject string) int {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	args := []string{"-f", "-yy", "-qq", "-o", "/run/trace/out", "-e", "signal=none"}
	if name, _, found := strings.Cut(inject, ":"); found {
		args = append(args, "-e", "trace="+name, "-e", "inject="+inject)
	} else {
		args = append(args, "-e", "trace="+r.traceable())
	}
	if r.plain {
		args = append(args, "--seccomp-bpf")
	}
	if r.as.UID != 0 {
		args = append(args, "-u", r.as.Name) // so set-uid programs are what they are
	}
	c := exec.CommandContext(ctx, "strace", append(args, r.args...)...)
	c.Dir, c.Env = "/", []string{"PATH=/usr/bin:/bin", "USER=" + r.as.Name, "HOME=" + r.as.Home}
	files := r.files()
	c.Stdin, c.Stdout = files[0], files[1]
	over := make(chan struct{})
	go impossible(over, cancel)
	c.Run()
	close(over)
	for _, f := range files {
		f.Close()
	}
	if ctx.Err() == context.DeadlineExceeded {
		trace, _ := os.ReadFile("/run/trace/out")
		r.w.t.Errorf("%v hangs with %s: %s", r.args, inject, trace[max(0, len(trace)-3000):])
	}
	return c.ProcessState.ExitCode()
}

func (r run) traceable() string {
	if r.calls != "" {
		return r.calls
	}
	return ioCalls
}

var callLine = regexp.MustCompile(`(?m)^(\d+) +(\w+)\((\d+<(?:pipe|socket|UNIX|anon_inode))?`)

// counts returns how often each call is made, at most by one thread, and which of them are about pipes and sockets.
// Those cannot fail so, and the Go library relies on it: between fork and exec it would wait for a child that waits
// for us.
func counts(trace []byte) (most map[string]int, pipes map[string]bool) {
	each := map[string]int{}
	most, pipes = map[string]int{}, map[string]bool{}
	for _, m := range callLine.FindAllSubmatch(trace, -1) {
		name := string(m[2])
		key := string(m[1]) + name
		each[key]++
		most[name] = max(most[name], each[key])
		if len(m[3]) > 0 {
			pipes[call(name, each[key])] = true
		}
	}
	return most, pipes
}

func call(name string, n int) string { return fmt.Sprintf("%s:error=EIO:when=%d", name, n) }

// all runs the program with each call failing.
func (r run) all() {
	r.w.t.Helper()
	r.w.must(os.MkdirAll("/run/trace", 0o777))
	r.w.must(os.Chmod("/run/trace", 0o777))
	if code := r.traced(""); code != 0 {
		out, _ := os.ReadFile("/run/out")
		trace, _ := os.ReadFile("/run/trace/out")
		r.w.t.Fatalf("%v: %d without a failure: %s\n%s", r.args, code, out, trace[max(0, len(trace)-3000):])
	}
	trace, err := os.ReadFile("/run/trace/out")
	r.w.must(err)
	r.judge(nothingFailed, 0)
	most, pipes := counts(trace)
	runs := 0
	for _, name := range slices.Sorted(maps.Keys(most)) {
		for n := 1; n <= most[name]; n++ {
			if pipes[call(name, n)] {
				continue
			}
			os.Remove("/run/trace/out")
			code := r.traced(call(name, n))
			r.judge(fmt.Sprintf("EIO of %s %d", name, n), code)
			runs++
		}
	}
	r.w.t.Logf("%s: %d runs", filepath.Base(r.args[0]), runs)
	if runs < 5 {
		r.w.t.Errorf("%v: only %d runs", r.args, runs)
	}
}

var injectedPipe = regexp.MustCompile(`(?m)^\d+ +\w+\(\d+<(pipe|socket|UNIX).*INJECTED`)

// impossible ends a run soon in which a pipe or a socket has failed after all, by another order of things than the
// first time.
func impossible(over <-chan struct{}, end func()) {
	for met := 0; met < 5; {
		select {
		case <-over:
			return
		case <-time.After(200 * time.Millisecond):
		}
		if trace, _ := os.ReadFile("/run/trace/out"); injectedPipe.Match(trace) {
			met++
		}
	}
	end()
}

// open opens a file that was written with text.
func (w *world) text(name, text string) *os.File {
	w.must(os.WriteFile(name, []byte(text), 0o644))
	f, err := os.Open(name)
	w.must(err)
	return f
}

func (w *world) create(name string) *os.File {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	w.must(err)
	return f
}

// queued returns what is in todo, as it is owed, and empties the queue. A message that is there has to be whole. A
// qmail-queue whose parent has not waited for it has its end first.
func (w *world) queued(what, text string) int {
	w.t.Helper()
	w.eventually("qmail-queue ends", func() bool { return len(pids("qmail-queue")) == 0 })
	todos, _ := filepath.Glob(at("todo/*"))
	for _, f := range todos {
		env, err := os.ReadFile(f)
		w.must(err)
		id, _ := queue.ParseID(filepath.Base(f))
		mess, err := os.ReadFile(at(queue.Mess(id)))
		if err != nil || !strings.HasSuffix(string(mess), text) || !strings.HasPrefix(string(mess), "Received: ") {
			w.t.Errorf("%s: todo without its message: %q %v", what, mess, err)
		}
		if !strings.Contains(string(env), "\x00F"+sam+"@"+testqmail.Host+"\x00T"+joe+"@"+testqmail.Host+"\x00") {
			w.t.Errorf("%s: envelope %q", what, env)
		}
	}
	for _, p := range []string{"todo/*", "intd/*", "mess/*/*", "pid/*"} {
		found, _ := filepath.Glob(at(p))
		for _, f := range found {
			w.must(os.Remove(f))
		}
	}
	return len(todos)
}

// later reports whether an exit code of a program that may be asked again is no failure for good.
func later(code int) bool {
	return code == int(exit.OK) || code == int(exit.Temp) || code == 2 || code == -1 || code > 128
}

const eioText = "Subject: x\n\nbody, and more of it\n"

func TestQmailQueueSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	run{
		w: w, plain: true, as: user("me"), args: []string{conf.Home() + "/bin/qmail-queue"},
		files: func() []*os.File {
			return []*os.File{w.text("/run/text", eioText),
				w.text("/run/env", "F"+sam+"@"+testqmail.Host+"\x00T"+joe+"@"+testqmail.Host+"\x00\x00")}
		},
		judge: func(what string, code int) {
			n := w.queued(what, eioText)
			if code == 0 && n != 1 {
				t.Errorf("%s: accepted, and %d are there", what, n)
			}
			if m := envelope.Meaning(exit.Code(code)); code > 0 && m.Kind != report.Deferral {
				t.Errorf("%s: exit code %d, %v", what, code, m)
			}
		},
	}.all()
}

func TestQmailInjectSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	run{
		w: w, args: []string{conf.Home() + "/bin/qmail-inject", "-f" + sam + "@" + testqmail.Host,
			joe + "@" + testqmail.Host},
		files: func() []*os.File { return []*os.File{w.text("/run/text", eioText), w.create("/run/out")} },
		judge: func(what string, code int) {
			if n := w.queued(what, "\n\nbody, and more of it\n"); code == 0 && n != 1 || !later(code) {
				t.Errorf("%s: exit code %d, %d messages", what, code, n)
			}
		},
	}.all()
}

func TestQmailGetpwSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	u := user(joe)
	want := fmt.Sprintf("%s\x00%d\x00%d\x00%s\x00-\x00x\x00", joe, u.UID, u.UID, u.Home)
	run{
		w: w, plain: true, args: []string{conf.Home() + "/bin/qmail-getpw", joe + "-x"},
		files: func() []*os.File { return []*os.File{w.text("/run/text", ""), w.create("/run/out")} },
		judge: func(what string, code int) {
			if out, _ := os.ReadFile("/run/out"); code == 0 && string(out) != want { // all other codes are a deferral
				t.Errorf("%s: exit code %d, %q", what, code, out)
			}
		},
	}.all()
}

func TestQmailCleanSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	run{
		w: w, plain: true, args: []string{conf.Home() + "/bin/qmail-clean"},
		files: func() []*os.File {
			for _, n := range []string{"mess/7/7", "intd/7", "todo/7", "mess/8/8", "intd/8", "todo/8"} {
				w.must(os.WriteFile(at(n), nil, 0o644))
			}
			return []*os.File{w.text("/run/text", "todo/7\x00foop/7\x00"), w.create("/run/out")}
		},
		judge: func(what string, code int) {
			out, _ := os.ReadFile("/run/out")
			if len(out) > 0 && out[0] == '+' && !gone("todo/7") || len(out) > 1 && out[1] == '+' && !gone("mess/7/7") {
				t.Errorf("%s: answers %q", what, out)
			}
			if gone("mess/7/7") && !gone("intd/7") || gone("mess/8/8") || gone("intd/8") || gone("todo/8") {
				t.Errorf("%s: the wrong file is gone", what)
			}
		},
	}.all()
}

// localRun is qmail-local for joe with a .qmail file.
func localRun(t *testing.T, w *world, plain bool, lines string, judge func(what string, code int)) {
	t.Helper()
	u := user(joe)
	w.must(os.WriteFile(u.Home+"/.qmail-ext", []byte(lines), 0o644))
	run{
		w: w, as: u, plain: plain,
		args: []string{
			conf.Home() + "/bin/qmail-local", "--", joe, u.Home, joe + "-ext", "-", "ext", testqmail.Host,
			sam + "@" + testqmail.Host, "./Default",
		},
		files: func() []*os.File {
			os.Remove(u.Home + "/Mailbox")
			for _, d := range []string{"new", "tmp"} {
				found, _ := filepath.Glob(u.Home + "/Maildir/" + d + "/*")
				for _, f := range found {
					w.must(os.Remove(f))
				}
			}
			return []*os.File{w.text("/run/text", eioText), w.create("/run/out")}
		},
		judge: func(what string, code int) {
			if !later(code) {
				out, _ := os.ReadFile("/run/out")
				t.Errorf("%s: exit code %d, %q", what, code, out)
			}
			if _, err := os.Stat(u.Home + "/Default"); err == nil {
				t.Errorf("%s: .qmail-ext was taken to be absent", what)
				os.Remove(u.Home + "/Default")
			}
			judge(what, code)
		},
	}.all()
}

func TestQmailLocalToAMaildirSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	localRun(t, w, true, "./Maildir/\n", func(what string, code int) {
		found, _ := filepath.Glob(user(joe).Home + "/Maildir/new/*")
		for _, f := range found {
			if b, err := os.ReadFile(f); err != nil || !bytes.HasSuffix(b, []byte(eioText)) ||
				!bytes.HasPrefix(b, []byte("Return-Path: <"+sam)) {
				t.Errorf("%s: %q %v", what, b, err)
			}
		}
		if code == 0 && len(found) != 1 {
			t.Errorf("%s: success, and %d are there", what, len(found))
		}
	})
}

func TestQmailLocalToAnMboxSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	localRun(t, w, true, "./Mailbox\n", func(what string, code int) {
		b, _ := os.ReadFile(user(joe).Home + "/Mailbox")
		switch whole := bytes.HasPrefix(b, []byte("From "+sam)) && bytes.HasSuffix(b, []byte(eioText+"\n")); {
		case code == 0 && !whole, len(b) > 0 && !whole && code != 2 && code >= 0:
			t.Errorf("%s: exit code %d, and in the mbox %q", what, code, b)
		}
	})
}

func TestQmailLocalThatForwardsAndRunsSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	u := user(joe)
	w.must(os.WriteFile(u.Home+"/.qmail-ext-owner", nil, 0o644))
	localRun(t, w, false, "|cat >>Mailbox\n&"+sam+"@"+testqmail.Host+"\n", func(what string, code int) {
		b, _ := os.ReadFile(u.Home + "/Mailbox")
		todos, _ := filepath.Glob(at("todo/*"))
		if code == 0 && (string(b) != eioText || len(todos) != 1) {
			t.Errorf("%s: success, the program got %q, %d forwarded", what, b, len(todos))
		}
		for _, p := range []string{"todo/*", "intd/*", "mess/*/*", "pid/*"} {
			found, _ := filepath.Glob(at(p))
			for _, f := range found {
				w.must(os.Remove(f))
			}
		}
	})
}
