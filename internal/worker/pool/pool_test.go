package pool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/exit"
	"qmail/internal/priv"
	"qmail/internal/proc"
	"qmail/internal/worker"
)

// TestMain turns the test binary into the program that a pool starts.
func TestMain(m *testing.M) {
	switch os.Getenv("POOL_TEST") {
	case "":
		os.Exit(m.Run())
	case "foreign":
		return
	case "liar":
		f := proc.FD(3, "parent")
		f.Write([]byte(worker.Greeting))
		io.ReadFull(f, make([]byte, 1))
		f.Write([]byte("this is no answer, there is a byte in it that must be 0 or 1"))
		time.Sleep(time.Minute)
	default:
		l := worker.Accept(proc.FD(3, "parent"))
		proc.Exit(l.Serve(1, serve))
	}
}

// serve does the jobs of the tests.
func serve(j worker.Job) worker.Answer {
	out := j.Files[0]
	switch j.Args[0] {
	case "echo":
		fmt.Fprint(out, strings.Join(j.Args[1:], " "))
	case "fds":
		names, _ := os.ReadDir("/proc/self/fd")
		list := make([]string, len(names))
		for i, n := range names {
			list[i] = n.Name()
		}
		sort.Strings(list)
		fmt.Fprint(out, list)
	case "uid":
		groups, _ := syscall.Getgroups()
		fmt.Fprint(out, os.Getuid(), os.Getgid(), groups)
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "last":
		return worker.Answer{Last: true}
	case "limit":
		syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	}
	return worker.Answer{Code: exit.Perm, Text: []byte("note")}
}

func newPool(t *testing.T) *Pool {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "program")); err != nil {
		t.Fatal(err)
	}
	p := NewIn(dir, 4)
	t.Cleanup(p.Close)
	return p
}

func spec(mode string) Spec {
	return Spec{Name: "program", Env: []string{"POOL_TEST=" + mode}}
}

// take asks until a worker is there.
func take(t *testing.T, p *Pool, s Spec) *Worker {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if w := p.Take(s, ""); w != nil {
			return w
		}
	}
	t.Fatal("no worker came")
	return nil
}

func do(t *testing.T, w *Worker, args ...string) (string, worker.Answer, error) {
	t.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	type result struct {
		a   worker.Answer
		err error
	}
	done := make(chan result)
	go func() {
		a, err := w.Do(worker.Job{Args: args, Files: []*os.File{out}}, args[0])
		out.Close()
		done <- result{a, err}
	}()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	x := <-done
	return string(b), x.a, x.err
}

func TestFirstJobOfAKindNeverStartsAWorker(t *testing.T) {
	p := newPool(t)
	if p.Take(spec("serve"), "") != nil {
		t.Fatal("a worker was there before the first job")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all != 0 {
		t.Errorf("%d workers for one job", p.all)
	}
}

func TestWorkerDoesOneJobAfterTheOther(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	pid := w.Pid()
	for i := range 5 {
		word := fmt.Sprint("job", i)
		got, a, err := do(t, w, "echo", word)
		if err != nil || got != word || a.Code != exit.Perm || string(a.Text) != "note" {
			t.Fatalf("got %q, %+v, %v", got, a, err)
		}
		if w = take(t, p, spec("serve")); w.Pid() != pid {
			t.Fatalf("job %d met process %d, not %d", i, w.Pid(), pid)
		}
	}
}

func TestDescriptorsOfOneJobAreGoneInTheNext(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	first, _, err := do(t, w, "fds")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if w = take(t, p, spec("serve")); w == nil {
			t.Fatal("no worker")
		}
		got, _, err := do(t, w, "fds")
		if err != nil || got != first {
			t.Fatalf("descriptors %s, were %s; %v", got, first, err)
		}
	}
}

func TestWorkerThatDiesHarmsItsOwnJobOnly(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	if _, _, err := do(t, w, "die"); err == nil || errors.Is(err, ErrNotTaken) {
		t.Errorf("a dead worker's job ended with %v", err)
	}
	if got, _, err := do(t, take(t, p, spec("serve")), "echo", "next"); err != nil || got != "next" {
		t.Errorf("the next job: %q, %v", got, err)
	}
}

func TestJobForAWorkerThatDiedWhileIdleIsNotTaken(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	w.proc.Kill()
	time.Sleep(100 * time.Millisecond)
	if _, _, err := do(t, w, "echo", "x"); !errors.Is(err, ErrNotTaken) {
		t.Errorf("got %v", err)
	}
}

func TestAnswerThatIsNoneIsAnError(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("liar"))
	if _, _, err := do(t, w, "echo", "x"); err == nil {
		t.Error("a lie was believed")
	}
}

func TestProgramThatGoesAwayWithoutGreetingIsNotStartedAgain(t *testing.T) {
	p := newPool(t)
	s := spec("foreign")
	p.Take(s, "")
	p.Take(s, "")
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		foreign := p.kinds[s.key()].foreign
		p.mu.Unlock()
		if foreign != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the program was not found to be foreign")
		}
	}
	p.Take(s, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all != 0 || p.kinds[s.key()].starting != 0 {
		t.Error("it was started again")
	}
}

func TestReplacedProgramGetsNoMoreJobs(t *testing.T) {
	p := newPool(t)
	take(t, p, spec("serve")).Return()
	path := filepath.Join(p.dir, "program")
	os.Remove(path)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p.Take(spec("serve"), "") != nil {
		t.Error("a job went to the old program")
	}
}

func TestLastAnswerEndsTheWorker(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	pid := w.Pid()
	if _, a, err := do(t, w, "last"); err != nil || !a.Last {
		t.Fatal(a, err)
	}
	if take(t, p, spec("serve")).Pid() == pid {
		t.Error("it got another job")
	}
}

func TestWorkerWithChangedLimitsRefusesJobs(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &l); l.Cur == 0 && l.Max == 0 {
		t.Log("RLIMIT_CORE is 0 already: nothing to change")
		return
	}
	if _, _, err := do(t, w, "limit"); err != nil {
		t.Fatal(err)
	}
	if got, _, err := do(t, take(t, p, spec("serve")), "echo", "x"); err == nil {
		t.Errorf("job done: %q", got)
	}
}

func TestJobsWaitForAProgramThatHasGreetedAndNoOther(t *testing.T) {
	p := newPool(t)
	take(t, p, spec("serve"))
	// The worker is busy. Another job gets one that starts for it.
	if w := p.Take(spec("serve"), ""); w == nil {
		t.Error("a job of a program that has greeted got no worker")
	}
	// At the limit there is nothing to wait for.
	for range 2 {
		if p.Take(spec("serve"), "") == nil {
			t.Error("no worker below the limit")
		}
	}
	start := time.Now()
	if p.Take(spec("serve"), "") != nil || time.Since(start) > patience/2 {
		t.Errorf("a worker above the limit, or a wait of %v for none", time.Since(start))
	}
}

func TestStartThatFailsSendsItsJobTheClassicWay(t *testing.T) {
	p := newPool(t)
	take(t, p, spec("serve"))
	other := spec("foreign") // the same file, and as another user it does not greet
	other.As = &priv.ID{UID: os.Getuid(), GID: os.Getgid()}
	for range 3 {
		if p.Take(other, "") != nil {
			t.Error("a worker of a program that went away")
		}
	}
}

func TestWorkersNeverServeTwoUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	p := newPool(t)
	// The test binary must be reachable for those users.
	data, err := os.ReadFile(filepath.Join(p.dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "pool")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	if err := os.WriteFile(filepath.Join(dir, "program"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	p = NewIn(dir, 4)
	defer p.Close()
	for range 3 {
		for _, id := range []priv.ID{{UID: 4001, GID: 4001}, {UID: 4001, GID: 4002}, {UID: 4002, GID: 4001}} {
			s := spec("serve")
			s.As, s.Dir = &id, "/"
			want := fmt.Sprint(id.UID, id.GID, []int{id.GID})
			if got, _, err := do(t, take(t, p, s), "uid"); err != nil || got != want {
				t.Errorf("as %v: %q, %v", id, got, err)
			}
		}
	}
}

func TestIdleWorkersEnd(t *testing.T) {
	p := newPool(t)
	take(t, p, spec("serve")).Return()
	for end := time.Now().Add(2 * MaxIdle); ; time.Sleep(50 * time.Millisecond) {
		p.mu.Lock()
		all := p.all
		p.mu.Unlock()
		if all == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("a worker is still there")
		}
	}
}
