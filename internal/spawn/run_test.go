package spawn

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker/pool"
)

// input makes a message file.
func input(t testing.TB, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// bothWays runs a test with a process of its own for each job, and with a worker.
func bothWays(t *testing.T, fn func(t *testing.T, run func(args ...string) (Outcome, error))) {
	dir := bin(t)
	job := func(args []string) Job {
		return Job{Name: program, Arg0: program, Args: args, Message: input(t, "the message"), Keep: 100}
	}
	t.Run("process", func(t *testing.T) {
		r := Runner{Bin: dir, Env: []string{quick}}
		fn(t, func(args ...string) (Outcome, error) { return r.Run(job(args)) })
	})
	t.Run("worker", func(t *testing.T) {
		r := Runner{Bin: dir, Env: []string{quick}, Pool: pool.NewIn(dir, 4)}
		defer r.Pool.Close()
		fn(t, func(args ...string) (Outcome, error) {
			warm(t, &r, job(nil))
			return r.Run(job(args))
		})
	})
}

// warm runs empty jobs until a worker takes one.
func warm(t testing.TB, r *Runner, j Job) {
	t.Helper()
	poll.Until(t, "a worker takes a job", func() bool {
		o, err := r.Run(j)
		if err != nil {
			t.Fatal(err)
		}
		return o.Worker && string(o.Note) == "worker"
	})
}

func TestWhatAProgramPrintsAndItsCodeAreTheOutcome(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		o, err := run("print", "hello ", "cat", "", "exit", "100")
		if err != nil || o.Crashed || o.Code != exit.Perm || string(o.Output) != "hello the message" || o.Cut {
			t.Errorf("%+v %v", o, err)
		}
	})
}

func TestAProgramThatASignalEndsHasCrashed(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		for _, sig := range []string{"9", "15"} {
			o, err := run("print", "half", "kill", sig)
			if err != nil || !o.Crashed || !o.Worker && string(o.Output) != "half" {
				t.Errorf("signal %s: %+v %v", sig, o, err)
			}
		}
	})
}

func TestExitCode2IsACrashSinceGosRuntimeDiesSo(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		if o, err := run("exit", "2"); err != nil || !o.Crashed {
			t.Errorf("%+v %v", o, err)
		}
	})
}

func TestAProgramThatPanicsHasCrashed(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		if o, err := run("panic", "nil map"); err != nil || !o.Crashed {
			t.Errorf("%+v %v", o, err)
		}
	})
}

func TestLongOutputIsReadToItsEndAndCut(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		o, err := run("repeat", "10000000")
		if err != nil || o.Crashed || len(o.Output) != 100 || !o.Cut {
			t.Errorf("%d bytes, %v %v", len(o.Output), o.Cut, err)
		}
		if o, err = run("repeat", "100"); err != nil || len(o.Output) != 100 || o.Cut {
			t.Errorf("%d bytes, %v %v", len(o.Output), o.Cut, err)
		}
	})
}

func TestAProgramLeftRunningIsWaitedFor(t *testing.T) {
	bothWays(t, func(t *testing.T, run func(args ...string) (Outcome, error)) {
		begin := time.Now()
		if o, err := run("child", ""); err != nil || o.Crashed || time.Since(begin) < 900*time.Millisecond {
			t.Errorf("%+v %v after %v", o, err, time.Since(begin))
		}
	})
}

func TestManyJobsAtOnceEachGetTheirOwnOutput(t *testing.T) {
	dir := bin(t)
	r := Runner{Bin: dir, Env: []string{quick}, Pool: pool.NewIn(dir, 8)}
	defer r.Pool.Close()
	done := make(chan string)
	for i := range 60 {
		go func() {
			text := strings.Repeat(string(rune('a'+i%26)), 50)
			o, err := r.Run(Job{Name: program, Arg0: program, Args: []string{"print", text}, Keep: 100, Message: input(t, "m")})
			if err != nil || string(o.Output) != text {
				done <- string(o.Output)
				return
			}
			done <- ""
		}()
	}
	for range 60 {
		if wrong := <-done; wrong != "" {
			t.Errorf("another's output: %q", wrong)
		}
	}
}

func TestAWorkerThatLiesHarmsOnlyItsOwnJob(t *testing.T) {
	dir := bin(t)
	r := Runner{Bin: dir, Env: []string{quick}, Pool: pool.NewIn(dir, 4)}
	defer r.Pool.Close()
	job := func(args ...string) Job {
		return Job{Name: program, Arg0: program, Args: args, Message: input(t, "m"), Keep: 100}
	}
	for _, lie := range []string{
		"x", "\x00\x02", strings.Repeat("x", 5000), "qmail-worker 2\n", "a\x01\x00\x00\x00", "o\x01lie",
	} {
		warm(t, &r, job())
		if o, err := r.Run(job("say", lie, "print", "text")); err != nil || !o.Crashed {
			t.Errorf("%.20q: %+v %v", lie, o, err)
		}
		for range 3 {
			if o, err := r.Run(job("print", "fine")); err != nil || o.Crashed || string(o.Output) != "fine" {
				t.Errorf("after %.20q: %+v %v", lie, o, err)
			}
		}
	}
}

func TestAStoppedWorkerHoldsOnlyItsOwnJob(t *testing.T) {
	dir := bin(t)
	r := Runner{Bin: dir, Env: []string{quick}, Pool: pool.NewIn(dir, 4)}
	defer r.Pool.Close()
	pidFile := filepath.Join(t.TempDir(), "pid")
	job := func(args ...string) Job {
		return Job{Name: program, Arg0: program, Args: args, Message: input(t, "m"), Keep: 100}
	}
	warm(t, &r, job())
	stopped := make(chan Outcome)
	stop := job("stop", pidFile)
	go func() {
		o, _ := r.Run(stop)
		stopped <- o
	}()
	pid := 0
	poll.Until(t, "the job has begun", func() bool {
		b, _ := os.ReadFile(pidFile)
		pid, _ = strconv.Atoi(string(b))
		return pid > 0
	})
	for range 5 {
		if o, err := r.Run(job("print", "fine")); err != nil || o.Crashed || string(o.Output) != "fine" {
			t.Errorf("%+v %v", o, err)
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	if o := <-stopped; !o.Crashed {
		t.Errorf("%+v", o)
	}
}

func TestAProgramOfAnotherMakeIsRunOncePerJob(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n[ $# -gt 0 ] || exit 0\nread line\necho \"$1 $line\"\necho error >&2\n"
	if err := os.WriteFile(filepath.Join(dir, "wrapper"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := Runner{Bin: dir, Env: []string{quick}, Pool: pool.NewIn(dir, 4)}
	defer r.Pool.Close()
	for range 30 {
		o, err := r.Run(Job{Name: "wrapper", Arg0: "wrapper", Args: []string{"arg"}, Message: input(t, "line\n"), Keep: 100})
		if err != nil || string(o.Output) != "arg line\nerror\n" || o.Worker {
			t.Fatalf("%+v %q %v", o, o.Output, err)
		}
	}
}

func TestAProgramThatCannotBeRunIsADeferral(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := Runner{Bin: dir, Env: []string{quick}}
	for _, name := range []string{"absent", "plain"} {
		_, err := r.Run(Job{Name: name, Arg0: name, Message: input(t, ""), Keep: 100})
		if got := report.Of(err); got.Kind != report.Deferral || got.Error() != "Unable to run "+name+"." {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProgramGetsItsFolderItsEnvironmentAndNothingElse(t *testing.T) {
	dir := bin(t)
	folder := t.TempDir()
	r := Runner{Bin: dir, Env: []string{"A=B", quick}}
	o, err := r.Run(
		Job{Name: program, Arg0: program, Args: []string{"where"}, Dir: folder, Message: input(t, ""), Keep: 1000},
	)
	if err != nil || string(o.Output) != folder+" A=B,"+quick {
		t.Errorf("%q %v", o.Output, err)
	}
}

func TestNoDescriptorIsLeftOpen(t *testing.T) {
	dir := bin(t)
	r := Runner{Bin: dir, Env: []string{quick}}
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(list)
	}
	job := Job{Name: program, Arg0: program, Message: input(t, ""), Keep: 100}
	r.Run(job)
	before := count()
	for range 20 {
		r.Run(job)
		r.Run(Job{Name: "absent", Message: job.Message})
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors, then %d", before, after)
	}
}

func TestWithoutDescriptorsAJobIsADeferral(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	dir := bin(t)
	r := Runner{Bin: dir, Env: []string{quick}}
	message := input(t, "")
	none := old
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err := r.Run(Job{Name: program, Arg0: program, Message: message, Keep: 100})
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
	if got := report.Of(err); err == nil || got.Kind != report.Deferral || got.Code != "4.3.0" {
		t.Errorf("%v", err)
	}
}
