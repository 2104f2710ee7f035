package pool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

// TestMain turns the test binary into the program that a pool starts.
func TestMain(m *testing.M) {
	switch os.Getenv("POOL_TEST") {
	case "":
		os.Exit(m.Run())
	case "foreign":
		return
	case "late": // answers the first job twice
		f := proc.FD(3, "parent")
		f.Write([]byte(worker.Greeting))
		f.Read(make([]byte, 1000))
		for range 2 {
			f.Write([]byte("a\x01\x00\x00\x00text"))
		}
		io.Copy(io.Discard, f)
	case "old":
		f := proc.FD(3, "parent")
		f.Write([]byte("qmail-worker\n"))
		io.Copy(io.Discard, f)
	case "liar":
		f := proc.FD(3, "parent")
		f.Write([]byte(worker.Greeting))
		io.ReadFull(f, make([]byte, 1))
		f.Write([]byte("this is no answer, there is a byte in it that must be 0 or 1"))
		io.Copy(io.Discard, f)
	default:
		l := worker.Accept(proc.FD(3, "parent"))
		proc.Exit(l.Serve(0, serve))
	}
}

// serve does the jobs of the tests.
func serve(j worker.Job, out *worker.Output) worker.Answer {
	switch j.Args[0] {
	case "echo":
		fmt.Fprint(out, strings.Join(j.Args[1:], " "))
	case "long":
		n, _ := strconv.Atoi(j.Args[1])
		io.WriteString(out, strings.Repeat("x", n))
	case "descriptor", "left":
		fmt.Fprint(out, "before ")
		f, err := out.File()
		if err != nil {
			return worker.Answer{Code: exit.Temp}
		}
		command := "echo a program"
		if j.Args[0] == "left" {
			command = "(while ! test -e " + j.Args[1] + "; do sleep 0.01; done; cat " + j.Args[1] + ") & echo not yet"
		}
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Stdout = f
		cmd.Run()
		fmt.Fprint(out, "after")
	case "rest": // until a file is there
		poll.Within(poll.Limit, func() bool { _, err := os.Stat(j.Args[1]); return err == nil })
	case "fds":
		names, _ := os.ReadDir("/proc/self/fd")
		list := make([]string, len(names))
		for i, n := range names {
			list[i] = n.Name()
		}
		sort.Strings(list)
		fmt.Fprint(out, list)
	case "link":
		to, _ := os.Readlink("/proc/self/fd/" + j.Args[1])
		fmt.Fprint(out, to)
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
	return worker.Answer{Code: exit.Perm, Note: []byte("note")}
}

func TestAnExtraDescriptorIsOfEachWorkerAndOfNothingElse(t *testing.T) {
	p, s := newPool(t), spec("serve")
	made := 0
	s.Extra = func() (*os.File, error) {
		made++
		return os.Open(os.DevNull)
	}
	w := take(t, p, s)
	got, _, err := do(t, w, "link", "4")
	if err != nil || got != os.DevNull || made != 1 {
		t.Errorf("descriptor 4 is %q, %d were made; %v", got, made, err)
	}
	if got, _, err = do(t, take(t, p, s), "link", "4"); err != nil || got != os.DevNull || made != 1 {
		t.Errorf("in the next job descriptor 4 is %q, %d were made; %v", got, made, err)
	}
	none := spec("serve")
	none.As = &priv.ID{UID: os.Getuid(), GID: os.Getgid()}
	none.Extra = func() (*os.File, error) { return nil, errors.New("there is none") }
	if os.Getuid() == 0 && p.Take(none, "") != nil {
		t.Error("a worker without what it must have")
	}
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
	var w *Worker
	poll.Until(t, "there is a worker", func() bool { w = p.Take(s, ""); return w != nil })
	return w
}

func do(t *testing.T, w *Worker, args ...string) (string, worker.Answer, error) {
	t.Helper()
	if err := w.Send(worker.Job{Args: args}); err != nil {
		return "", worker.Answer{}, err
	}
	r, err := w.Wait(args[0], 1000)
	return string(r.Output), r.Answer, err
}

func TestTheFirstJobOfAKindStartsItsWorker(t *testing.T) {
	p := newPool(t)
	w := p.Take(spec("serve"), "")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all != 1 || w == nil && p.kinds[spec("serve").key()].starting == 0 && p.idle == 0 {
		t.Errorf("%d workers, %v for the job", p.all, w)
	}
}

func TestWorkerDoesOneJobAfterTheOther(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	pid := w.Pid()
	for i := range 5 {
		word := fmt.Sprint("job", i)
		got, a, err := do(t, w, "echo", word)
		if err != nil || got != word || a.Code != exit.Perm || string(a.Note) != "note" {
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
	if ended, err := sys.WaitReadable(w.conn, time.Minute); !ended {
		t.Fatal("the worker lives", err)
	}
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

// foreign returns a pool that has found the program to be none of ours.
func foreign(t *testing.T, mode string) (*Pool, Spec) {
	t.Helper()
	p, s := newPool(t), spec(mode)
	p.Take(s, "")
	p.Take(s, "")
	poll.Until(t, "the program is found to be foreign", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.kinds[s.key()].foreign != nil
	})
	return p, s
}

func TestProgramThatGoesAwayWithoutGreetingIsNotStartedAgain(t *testing.T) {
	p, s := foreign(t, "foreign")
	p.Take(s, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all != 0 || p.kinds[s.key()].starting != 0 {
		t.Error("it was started again")
	}
}

func TestReplacedProgramGetsNoMoreJobs(t *testing.T) {
	p := newPool(t)
	do(t, take(t, p, spec("serve")), "echo")
	path := filepath.Join(p.dir, "program")
	os.Remove(path)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "no job goes to the old program", func() bool {
		w := p.Take(spec("serve"), "")
		if w != nil {
			do(t, w, "echo")
		}
		return w == nil // and it stays so
	})
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
	pid := w.Pid()
	if _, _, err := do(t, w, "limit"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it does no more jobs", func() bool {
		w := take(t, p, spec("serve"))
		if w.Pid() != pid {
			return true
		}
		_, _, err := do(t, w, "echo", "x")
		return err != nil
	})
}

func TestJobsWaitForAProgramThatHasGreetedAndNoOther(t *testing.T) {
	p := newPool(t)
	for range p.limit {
		take(t, p, spec("serve")) // the one before is busy: another starts
	}
	if w := p.Take(spec("serve"), ""); w != nil {
		t.Error("a worker above the limit")
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
	testqmail.NeedRoot(t)
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
	do(t, take(t, p, spec("serve")), "echo")
	poll.Until(t, "the worker ends", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.all == 0
	})
}

func TestOutputOfAnyLengthComesWholeOrIsCutWhereItWasToBe(t *testing.T) {
	p := newPool(t)
	for _, n := range []int{0, 1, 2000, 3000, 4096, 5000, 100_000, 10_000_000} {
		for _, keep := range []int{0, 3000, 1 << 20} {
			w := take(t, p, spec("serve"))
			if err := w.Send(worker.Job{Args: []string{"long", strconv.Itoa(n)}}); err != nil {
				t.Fatal(err)
			}
			r, err := w.Wait("", keep)
			if err != nil || len(r.Output) != min(n, keep) || r.Cut != (n > keep) || string(r.Note) != "note" {
				t.Errorf("%d bytes, %d to be kept: %d, cut %v, %v", n, keep, len(r.Output), r.Cut, err)
			}
		}
	}
}

func TestOutputOfAProgramStandsWhereItWasWritten(t *testing.T) {
	p := newPool(t)
	for range 5 {
		got, _, err := do(t, take(t, p, spec("serve")), "descriptor")
		if err != nil || got != "before a program\nafter" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestAJobIsNotAnsweredWhileAProgramHasItsOutput(t *testing.T) {
	p := newPool(t)
	file := filepath.Join(t.TempDir(), "go")
	w := take(t, p, spec("serve"))
	if err := w.Send(worker.Job{Args: []string{"left", file}}); err != nil {
		t.Fatal(err)
	}
	if said, _ := sys.WaitReadable(w.conn, 300*time.Millisecond); said {
		t.Error("it was answered")
	}
	if err := os.WriteFile(file, []byte("!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Wait("", 1000); err != nil || string(r.Output) != "before not yet\nafter!" {
		t.Errorf("%q, %v", r.Output, err)
	}
}

func TestALateAnswerNeverCountsForTheNextJob(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("late"))
	if got, _, err := do(t, w, "echo", "x"); err != nil || got != "text" {
		t.Fatal(got, err)
	}
	pid := w.Pid()
	w = take(t, p, spec("late"))
	if w.Pid() != pid {
		t.Fatal("another worker")
	}
	if got, _, err := do(t, w, "echo", "x"); err == nil {
		t.Errorf("it was believed: %q", got)
	}
}

func TestAWorkerOfAnotherFormIsForeign(t *testing.T) {
	foreign(t, "old")
}

func TestAJobThatIsTooLongForItsSocketLosesNoWorker(t *testing.T) {
	p := newPool(t)
	w := take(t, p, spec("serve"))
	pid := w.Pid()
	rc, err := w.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4608) })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(worker.Job{Args: []string{strings.Repeat("x", 30_000)}}); !errors.Is(err, ErrNotTaken) {
		t.Errorf("got %v", err)
	}
	if w = take(t, p, spec("serve")); w.Pid() != pid {
		t.Error("the worker is lost")
	}
}
