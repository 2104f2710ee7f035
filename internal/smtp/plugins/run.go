package plugins

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
)

const (
	// maxErrors bounds what of a plugin's descriptor 2 is in the log. One that says more than a pipe holds waits there
	// until its time is over.
	maxErrors, maxErrorLines = 4096, 10
	// cannotRun is the exit code by which a plugin says that it could not be run. A shell has two others.
	cannotRun, notExecutable, notFound = 120, 126, 127
)

var (
	errStart = errors.New("it cannot be run")
	errCrash = errors.New("it crashed")
	errTime  = errors.New("it takes too long")
)

// run runs the plugin of a line, and returns what it prints. It ends it and all that it has started when its time is
// over.
func (p *Plugins) run(line string, env []string) (output []byte, err error) {
	path, args := below(p.home, line), []string{line}
	shell := strings.HasPrefix(line, ":")
	if shell {
		path, args = "/bin/sh", []string{"sh", "-c", line[1:]}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return nil, errStart
	}
	defer null.Close()
	out, in, err := sys.Pipe()
	if err != nil {
		return nil, errStart
	}
	errors, errorsIn, err := sys.Pipe()
	if err != nil {
		out.Close()
		in.Close()
		return nil, errStart
	}
	defer errors.Close()
	proc.CatchPipe() // which the program is to know as usual
	child, err := priv.Start(priv.Child{
		Path: path, Args: args, Env: env, Dir: p.home, Files: []*os.File{null, in, errorsIn}, Apart: true, Expendable: true,
	})
	in.Close()
	errorsIn.Close()
	if err != nil {
		out.Close()
		return nil, errStart
	}
	group := priv.Group{Pid: child.Pid}
	end := time.Now().Add(p.within)
	late := time.AfterFunc(p.within, group.Kill)
	output, err = p.read(out, end)
	if err != nil {
		group.Kill()
	}
	state, waited := child.Wait()
	inTime := late.Stop()
	p.told(errors, line)
	switch {
	case err != nil:
		return nil, err
	case !inTime:
		return nil, errTime
	case waited != nil || state.ExitCode() < 0:
		return nil, errCrash
	case state.ExitCode() == cannotRun || shell && (state.ExitCode() == notExecutable || state.ExitCode() == notFound):
		return nil, errStart
	}
	return output, nil
}

// read reads what a plugin prints, to the end; it closes out.
func (p *Plugins) read(out *os.File, end time.Time) ([]byte, error) {
	out, err := sys.Polled(out)
	if err != nil {
		return nil, errStart
	}
	defer out.Close()
	out.SetReadDeadline(end)
	b, err := io.ReadAll(io.LimitReader(out, maxOutput+1))
	switch {
	case err != nil:
		return nil, errTime
	case len(b) > maxOutput:
		return nil, errOutput
	}
	return b, nil
}

// told puts into the log what a plugin that has ended said on descriptor 2.
func (p *Plugins) told(errors *os.File, line string) {
	b := make([]byte, maxErrors)
	n, _ := sys.ReadNow(errors, b)
	for i, l := range strings.Split(strings.TrimRight(string(b[:n]), "\n"), "\n") {
		if l == "" || i == maxErrorLines {
			break
		}
		p.log.Say("a plugin", "named", line, "says", l)
	}
}
