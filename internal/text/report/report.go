// Package report holds how a delivery ended: success, deferral or failure, with the text
// for the log and the bounce.
package report

import (
	"errors"

	"qmail/internal/text/exit"
)

// A Kind is the letter by which the programs tell each other how a delivery ended.
type Kind byte

const (
	Success  Kind = 'K'
	Deferral Kind = 'Z' // try again later
	Failure  Kind = 'D' // never try again
)

// A Report is how one delivery ended. It is an error, so that a function can return it
// where anything else that goes wrong is returned.
type Report struct {
	Kind Kind
	Code string // the status code of RFC 3463, as "5.1.1", or empty
	Text string // one sentence or more, without the code
}

// Fail returns a permanent failure.
func Fail(code, text string) *Report { return &Report{Failure, code, text} }

// Defer returns a temporary failure.
func Defer(code, text string) *Report { return &Report{Deferral, code, text} }

// Done returns a success.
func Done(text string) *Report { return &Report{Success, "", text} }

// Error returns the text with the code behind it: "No such address. (#5.1.1)".
func (r *Report) Error() string {
	if r.Code == "" {
		return r.Text
	}
	return r.Text + " (#" + r.Code + ")"
}

// Exit is the code by which a program says that this became of its message.
func (r *Report) Exit() exit.Code {
	switch r.Kind {
	case Success:
		return exit.OK
	case Failure:
		return exit.Perm
	}
	return exit.Temp
}

// Of turns any error into a report. One that nobody named is a deferral: only a failure
// named in the code may bounce a message.
func Of(err error) *Report {
	if r, ok := errors.AsType[*Report](err); ok {
		return r
	}
	return &Report{Deferral, "4.3.0", err.Error()}
}
