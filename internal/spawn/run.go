package spawn

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// A Runner runs delivery programs: in a worker where one is at hand, else as a process of its own.
type Runner struct {
	Bin  string // the folder of the programs
	Env  []string
	Pool *pool.Pool // nil: always a process of its own
}

// A Job is one run of a program.
type Job struct {
	Name    string   // the program in the Runner's folder
	Arg0    string   // what it sees as its own name
	Args    []string // the others
	As      *priv.ID // nil: as we do
	Dir     string   // its working directory; empty: ours
	Near    string   // where the job goes: a worker that was there last is preferred
	Message *os.File // its input; nil: none
	Errors  *os.File // its descriptor 2; nil: the same as its output
	Keep    int      // the most bytes of output that are kept
	// Worker is told of the worker that has got the job, and with nil that it has ended. It may be nil.
	Worker func(*pool.Worker)
}

// An Outcome is how a job ended.
type Outcome struct {
	Crashed bool      // by a signal, or as a worker in the middle of the job; Code means nothing then
	Code    exit.Code // never exit.Crash, which is a crash
	Output  []byte    // everything that was written, up to Keep bytes; of a worker that crashed, perhaps less
	Cut     bool      // there was more, or it could not be read
	Worker  bool      // a worker did the job
	Note    []byte    // its note to its parent
}

// Run runs a job and waits until it has ended and nobody has its output open any more: a program that
// was left running in the background is waited for as well. An error, always a *report.Report, means that the
// job was not begun.
func (r *Runner) Run(j Job) (Outcome, error) {
	if w := r.hand(j); w != nil {
		if j.Worker != nil {
			j.Worker(w)
			defer j.Worker(nil)
		}
		x, err := w.Wait(j.Near, j.Keep)
		return Outcome{
			Crashed: err != nil || x.Code == exit.Crash, Code: x.Code,
			Output: x.Output, Cut: x.Cut, Worker: true, Note: x.Note,
		}, nil
	}
	out, in, err := sys.OutputPipe()
	if err != nil {
		return Outcome{}, report.Defer("4.3.0", "qmail-spawn unable to create pipe.")
	}
	defer out.Close()
	wait, err := r.start(j, in)
	in.Close()
	if err != nil {
		return Outcome{}, err
	}
	// The output comes first: reading it waits without a thread, and at its end the process is
	// as good as dead.
	b, cut := readAll(out, j.Keep)
	o := wait()
	o.Crashed = o.Crashed || o.Code == exit.Crash
	o.Output, o.Cut = b, cut
	return o, nil
}

// hand gives the job to a worker, or returns nil when it is to be run as a process of its own.
func (r *Runner) hand(j Job) *pool.Worker {
	if r.Pool == nil {
		return nil
	}
	w := r.Pool.Take(pool.Spec{Name: j.Name, As: j.As, Env: r.Env, Dir: j.Dir}, j.Near)
	if w == nil {
		return nil
	}
	var files []*os.File
	if j.Message != nil {
		files = []*os.File{j.Message}
	}
	if w.Send(worker.Job{Args: j.Args, Files: files}) != nil {
		return nil
	}
	return w
}

// start starts a process, as it always was, and returns how to wait for its end.
func (r *Runner) start(j Job, out *os.File) (wait func() Outcome, err error) {
	files := []*os.File{j.Message, out, j.Errors}
	if j.Message == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, unableToRun(j.Name)
		}
		defer null.Close()
		files[0] = null
	}
	if j.Errors == nil {
		files[2] = out
	}
	p, err := priv.Start(priv.Child{
		Path: filepath.Join(r.Bin, j.Name), Args: append([]string{j.Arg0}, j.Args...),
		Env: r.Env, Dir: j.Dir, Files: files, As: j.As,
	})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) {
		return nil, report.Defer("4.3.0", "qmail-spawn unable to fork.")
	}
	if err != nil {
		return nil, unableToRun(j.Name)
	}
	return func() Outcome {
		state, err := p.Wait()
		if err != nil || state.ExitCode() < 0 { // -1 after a signal
			return Outcome{Crashed: true}
		}
		return Outcome{Code: exit.Code(state.ExitCode())}
	}, nil
}

func unableToRun(name string) *report.Report { return report.Defer("", "Unable to run "+name+".") }

// readAll reads to the end and keeps at most keep bytes; cut means that these are not all.
func readAll(f *os.File, keep int) (b []byte, cut bool) {
	b, err := io.ReadAll(io.LimitReader(f, int64(keep)+1))
	if err != nil || len(b) <= keep {
		return b, err != nil
	}
	io.Copy(io.Discard, f)
	return b[:keep], true
}
