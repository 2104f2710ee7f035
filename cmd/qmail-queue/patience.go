package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

// limit is how long a message may take. It must stay below the 36 hours after which its files pass for orphans.
const limit = 24 * time.Hour

// ignoreSignals makes those of the caller's signals harmless that a terminal or a limit sends, also where the
// caller had them blocked.
func ignoreSignals() {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGVTALRM, syscall.SIGPROF,
		syscall.SIGXCPU, syscall.SIGXFSZ)
}

// A patience is that of a process with its caller. An alarm and the signals that only a bug sends have their exit
// codes, and after a day it is over. Both take threads, which cost more than a small message: so they are there
// from the moment in which the caller has the process wait. Until then an alarm does nothing, and a bug ends the
// process without an answer, as a crash does.
type patience struct {
	caught bool
	day    *time.Timer // of the message that is waited for
}

// with returns f as a reader that begins the waiting.
func (p *patience) with(f *os.File) *awaited { return &awaited{f, p} }

// first is with for what is read first: the waiting begins now, before there are files that a signal could leave
// behind.
func (p *patience) first(f *os.File) *awaited {
	a := p.with(f)
	a.look()
	return a
}

func (p *patience) begin() {
	p.day = time.AfterFunc(limit, func() { proc.Exit(envelope.Timeout) })
	if !p.caught {
		p.caught = true
		catchSignals()
	}
}

// end ends the waiting for a message.
func (p *patience) end() {
	if p.day != nil {
		p.day.Stop()
		p.day = nil
	}
}

func catchSignals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGALRM, syscall.SIGILL, syscall.SIGABRT, syscall.SIGFPE, syscall.SIGBUS,
		syscall.SIGSEGV, syscall.SIGSYS)
	go func() {
		code := exit.Code(envelope.Bug)
		if <-c == syscall.SIGALRM {
			code = envelope.Timeout
		}
		proc.Exit(code)
	}()
}

// An awaited is what a caller sends, at once or in its own time.
type awaited struct {
	f *os.File
	p *patience
}

// look begins the waiting unless something is there to read.
func (a *awaited) look() {
	if a.p.day != nil {
		return
	}
	if ready, err := sys.WaitReadable(a.f, 0); !ready || err != nil {
		a.p.begin()
	}
}

// Read reads what is there, or waits with the patience that there is.
func (a *awaited) Read(b []byte) (int, error) {
	a.look()
	return a.f.Read(b)
}
