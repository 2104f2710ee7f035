package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"qmail/internal/submit/envelope"
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

// inTime calls fn for one message; when that takes longer than limit the process ends.
func inTime(fn func() exit.Code) exit.Code {
	day := time.AfterFunc(limit, func() { proc.Exit(envelope.Timeout) })
	defer day.Stop()
	return fn()
}

// catchSignals gives an alarm, and the signals that only a bug sends, their exit codes.
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
