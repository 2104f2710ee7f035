package spawn

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// A Runner runs delivery programs: in a worker where one is at hand, else as a process of its own.
type Runner struct {
	Expendable bool   // they are to be ended rather than others when memory is short
	Bin        string // the folder of the programs
	Env        []string
	Pool       *pool.Pool // nil: always a process of its own
}

// A Job is one run of a program.
type Job struct {
	Name    string   // the program in the Runner's folder
	Arg0    string   // what it sees as its own name
	Args    []string // the others
	Env     []string // what it has in its environment besides
	As      *priv.ID // nil: as we do
	Dir     string   // its working directory; empty: ours
	Near    string   // where the job goes: a worker that was there last is preferred
	Message *os.File // its input; nil: none
	Errors  *os.File // its descriptor 2; nil: the same as its output
	Keep    int      // the most bytes of output that are kept
	// Limit is how long it may take, with all that it starts; 0: as long as it likes. Where it is set As is not nil.
	Limit time.Duration
	// Extra is as for a pool.Spec.
	Extra func() (*os.File, error)
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
	Late    bool      // it took longer than its limit, and was told to end
}

// Run runs a job and waits until it has ended and nobody has its output open any more: a program that
// was left running in the background is waited for as well, but for one that has left the process group when the
// job's limit is over. An error, always a *report.Report, means that the
// job was not begun.
func (r *Runner) Run(j Job) (Outcome, error) {
	if w := r.hand(j); w != nil {
		if j.Worker != nil {
			j.Worker(w)
			defer j.Worker(nil)
		}
		if j.Limit > 0 {
			w.Within(j.Limit)
		}
		x, err := w.Wait(j.Near, j.Keep)
		return Outcome{
			Crashed: err != nil || x.Code == exit.Crash, Code: x.Code,
			Output: x.Output, Cut: x.Cut, Worker: true, Note: x.Note, Late: x.Late,
		}, nil
	}
	out, in, err := sys.OutputPipe()
	if err != nil {
		return Outcome{}, report.Defer("4.3.0", "qmail-spawn unable to create pipe.")
	}
	defer out.Close()
	p, err := r.start(j, in)
	in.Close()
	if err != nil {
		return Outcome{}, err
	}
	g := priv.Group{Pid: p.Pid}
	if j.Limit > 0 {
		out.SetReadDeadline(time.Now().Add(j.Limit))
		defer time.AfterFunc(j.Limit+3*priv.Grace, func() { p.Kill() }).Stop() // it has closed its output, and goes on
	}
	// The output comes first: reading it waits without a thread, and at its end the process is
	// as good as dead.
	b, cut := readAll(out, j.Keep, func() bool {
		more := g.End()
		out.SetReadDeadline(time.Now().Add(priv.Grace))
		return more
	})
	o := Outcome{Output: b, Cut: cut, Late: g.Late()}
	state, err := p.Wait()
	if err != nil || state.ExitCode() < 0 { // -1 after a signal
		o.Crashed = true
	} else {
		o.Code = exit.Code(state.ExitCode())
		o.Crashed = o.Code == exit.Crash
	}
	return o, nil
}

// hand gives the job to a worker, or returns nil when it is to be run as a process of its own.
func (r *Runner) hand(j Job) *pool.Worker {
	if r.Pool == nil {
		return nil
	}
	s := pool.Spec{Name: j.Name, As: j.As, Env: r.Env, Dir: j.Dir, Expendable: r.Expendable, Extra: j.Extra}
	w := r.Pool.Take(s, j.Near)
	if w == nil {
		return nil
	}
	var files []*os.File
	if j.Message != nil {
		files = []*os.File{j.Message}
	}
	if w.Send(worker.Job{Args: j.Args, Env: j.Env, Files: files}) != nil {
		return nil
	}
	return w
}

// start starts a process, as it always was.
func (r *Runner) start(j Job, out *os.File) (*os.Process, error) {
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
	env := r.Env
	if len(j.Env) > 0 {
		env = environ.With(env, j.Env...)
	}
	p, err := priv.Start(priv.Child{
		Path: filepath.Join(r.Bin, j.Name), Args: append([]string{j.Arg0}, j.Args...),
		Env: env, Dir: j.Dir, Files: files, As: j.As, Expendable: r.Expendable,
	})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) {
		return nil, report.Defer("4.3.0", "qmail-spawn unable to fork.")
	}
	if err != nil {
		return nil, unableToRun(j.Name)
	}
	return p, nil
}

func unableToRun(name string) *report.Report { return report.Defer("", "Unable to run "+name+".") }

// readAll reads to the end and keeps at most keep bytes; cut means that these are not all. When the deadline of f has
// passed it goes on if late says so.
func readAll(f *os.File, keep int, late func() bool) (b []byte, cut bool) {
	buf := make([]byte, 1024)
	for {
		n, err := f.Read(buf)
		room := keep - len(b)
		b, cut = append(b, buf[:min(n, room)]...), cut || n > room
		if err == io.EOF {
			return b, cut
		}
		if err != nil && (!os.IsTimeout(err) || !late()) {
			return b, true
		}
	}
}
