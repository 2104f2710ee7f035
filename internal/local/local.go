// Package local is qmail-local: one delivery of one message to one recipient, by the instructions of a .qmail file.
package local

import (
	"io"
	"os"
	"time"

	"qmail/internal/local/maildir"
	"qmail/internal/submit"
	"qmail/internal/text/dotqmail"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// A Job is one delivery and all that it may touch. The engine changes nothing of its process: neither its working
// directory nor its environment.
type Job struct {
	Args    []string // of qmail-local, without its name
	Env     []string // the environment that the recipient's programs get, before our additions
	Message *os.File // a regular file; read from its start, whatever its offset
	Out     Output   // for the report, and descriptor 1 of the recipient's programs
	Err     Output   // for what went wrong, and their descriptor 2
	Now     func() time.Time
	Names   *maildir.Names // of this process
	// Queue returns what takes the copies for other addresses, with its environment and descriptor 2.
	Queue func(env []string, stderr *os.File) *submit.Client
}

// An Output is written to, and is a descriptor where a program needs one.
type Output interface {
	io.Writer
	File() (*os.File, error)
}

// Descriptor returns an Output that is one from the start.
func Descriptor(f *os.File) Output { return descriptor{f} }

type descriptor struct{ f *os.File }

func (d descriptor) Write(b []byte) (int, error) { return d.f.Write(b) }

func (d descriptor) File() (*os.File, error) { return d.f, nil }

// A delivery is a Job at work.
type delivery struct {
	Job
	args
	env       []string
	head      string // the lines that a Maildir message gets in front: Return-Path, Delivered-To
	trace     string // the Delivered-To line
	fromLine  string
	newSender string
	started   bool // a program of the recipient's

	files, forwards, programs int
	recipients                []string
}

// Deliver does the job and returns what qmail-local exits with. Started says that a program of
// the recipient's has run, which may have touched this process in ways that nobody can undo.
func Deliver(j Job) (code exit.Code, started bool) {
	a, problem := parseArgs(j.Args)
	if problem != "" {
		io.WriteString(j.Err, problem)
		return exit.Perm, false
	}
	d := &delivery{Job: j, args: a}
	if err := d.run(); err != nil {
		r := report.Of(err)
		if r.Text != "" {
			io.WriteString(d.Err, r.Error()+"\n")
		}
		if r.Kind == report.Failure {
			return exit.Perm, d.started
		}
		return exit.Temp, d.started
	}
	return exit.OK, d.started
}

// run delivers. Instructions take effect in their order; the copies that go to other addresses are queued last, when
// all else has succeeded.
func (d *delivery) run() error {
	if err := d.checkHome(); err != nil {
		return err
	}
	d.describe()
	if d.doit {
		if err := d.checkLoop(); err != nil {
			return err
		}
	}
	text, forwardOnly, err := d.findInstructions()
	if err != nil {
		return err
	}
	if err := d.findOwner(); err != nil {
		return err
	}
	list, err := dotqmail.Parse(text)
	if err != nil {
		return report.Defer("4.2.1", "Uh-oh: first line of .qmail file is blank.")
	}
	if err := d.follow(list, forwardOnly); err != nil {
		return err
	}
	return d.finish()
}
