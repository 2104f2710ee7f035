// Package command runs the commands that users name on the command lines of the small delivery programs. A name
// without a slash is looked for in $PATH, and a file that is no program is given to the shell, as execvp(3) does.
package command

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"qmail/internal/sys"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
)

// ErrCrashed says that a signal ended the command.
var ErrCrashed = errors.New("child crashed")

// Start starts a command, argv[0] being its name, with the given descriptors 0, 1 and 2.
func Start(argv, env []string, files [3]*os.File) (*os.Process, error) {
	name := argv[0]
	if strings.IndexByte(name, '/') >= 0 || name == "" {
		return start(name, argv, env, files)
	}
	path, set := environ.Get(env, "PATH")
	if !set {
		path = "/bin:/usr/bin"
	}
	var denied error
	for more := true; more; {
		var dir string
		if dir, path, more = strings.Cut(path, ":"); dir == "" {
			dir = "."
		}
		p, err := start(dir+"/"+name, argv, env, files)
		switch {
		case err == nil:
			return p, nil
		case errors.Is(err, syscall.EACCES):
			denied = err
		case !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR):
			return nil, err
		}
	}
	if denied != nil {
		return nil, denied
	}
	return nil, &os.PathError{Op: "exec", Path: name, Err: syscall.ENOENT}
}

func start(path string, argv, env []string, files [3]*os.File) (*os.Process, error) {
	attr := &os.ProcAttr{Env: env, Files: files[:]}
	p, err := os.StartProcess(path, argv, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		return os.StartProcess("/bin/sh", append([]string{"sh", path}, argv[1:]...), attr)
	}
	return p, err
}

// Wait waits for a command. An error says that it has no exit code.
func Wait(p *os.Process) (exit.Code, error) {
	state, err := p.Wait()
	if err != nil {
		return exit.Temp, err
	}
	if !state.Exited() {
		return exit.Temp, ErrCrashed
	}
	return exit.Code(state.ExitCode()), nil
}

// Condition runs a command that decides by its exit code, with our descriptors 0, 1 and 2, and returns
// that code. One that cannot be run because there is no such program decides like exit code 100; one that
// cannot be run now, or fails to decide by exit code 111, gives an error.
func Condition(argv, env []string, files [3]*os.File) (exit.Code, error) {
	p, err := Start(argv, env, files)
	if err != nil {
		if Permanent(err) {
			return exit.Perm, nil
		}
		return exit.Temp, errTemporary
	}
	code, err := Wait(p)
	if err == nil && (code == exit.Temp || code == exit.Crash) {
		err = errTemporary
	}
	return code, err
}

var errTemporary = errors.New("temporary child error")

// Permanent reports whether an error of Start will be the same the next time.
func Permanent(err error) bool {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return false
	}
	switch no {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.EPERM, syscall.EISDIR, syscall.ENOEXEC,
		syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL:
		return true
	}
	return false
}

// Feed runs a command that reads head and then the rest of input, and returns its exit code. A command need not read
// it all.
func Feed(argv, env []string, head string, input, out, errs *os.File) (exit.Code, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return exit.Temp, &FeedError{"unable to create pipe", err}
	}
	defer w.Close()
	p, err := Start(argv, env, [3]*os.File{r, out, errs})
	r.Close()
	if err != nil {
		return exit.Temp, err
	}
	_, err = io.WriteString(w, head)
	if err == nil {
		_, err = io.Copy(w, input)
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		p.Kill() // or it would take what it got for the whole message
		p.Wait()
		return exit.Temp, &FeedError{"unable to copy input", err}
	}
	w.Close()
	return Wait(p)
}

// A FeedError says what was being done when it was not the command that failed.
type FeedError struct {
	What string
	Err  error
}

func (e *FeedError) Error() string { return e.What + ": " + sys.Reason(e.Err) }
func (e *FeedError) Unwrap() error { return e.Err }
