package main

import (
	"errors"
	"io"
	"os"
)

// identifiers are the names under which qmail's units and splogger log.
var identifiers = [...]string{"qmail", "smtpd", "submitd", "submitd-tls", "authd", "qmtpd", "qmqpd", "pop3d"}

// journal returns what starts journalctl, or nil where this system has no journal.
func journal() func() (io.ReadCloser, error) {
	const program = "/usr/bin/journalctl"
	if _, err := os.Stat("/run/systemd/journal"); err != nil {
		return nil
	}
	if _, err := os.Stat(program); err != nil {
		return nil
	}
	return func() (io.ReadCloser, error) {
		args := []string{"journalctl", "-q", "--no-pager", "-o", "export"}
		for _, name := range identifiers {
			args = append(args, "SYSLOG_IDENTIFIER="+name)
		}
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		p, err := os.StartProcess(program, args, &os.ProcAttr{Files: []*os.File{nil, w, os.Stderr}})
		w.Close()
		if err != nil {
			r.Close()
			return nil, err
		}
		return &output{r, p}, nil
	}
}

// An output is what a process writes.
type output struct {
	*os.File
	p *os.Process
}

// Close waits for the process. That it could not read the journal is an error.
func (o *output) Close() error {
	o.File.Close()
	switch state, err := o.p.Wait(); {
	case err != nil:
		return err
	case !state.Success():
		return errors.New("journalctl: " + state.String())
	}
	return nil
}
