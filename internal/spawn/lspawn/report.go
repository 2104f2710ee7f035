package lspawn

import (
	"bytes"
	"slices"

	"qmail/internal/spawn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

const tooLate = "The delivery took longer than control/timeoutlocal allows, and was ended. (#4.4.7)\n"

// read turns the end of a qmail-local into a report: what its exit code means, by qmail-command(8), and
// what it printed, up to the first NUL. One that took too long has succeeded if it says so all the same; nothing else
// that it says then counts.
func read(o spawn.Outcome) (report.Kind, []byte) {
	if o.Late && (o.Crashed || o.Code != exit.OK) {
		return report.Deferral, append([]byte(tooLate), text(o)...)
	}
	if o.Crashed {
		return report.Deferral, []byte("qmail-local crashed.\n")
	}
	kind := report.Failure
	switch o.Code {
	case exit.OK:
		kind = report.Success
	case exit.Temp, exit.Soft71, exit.Soft74, exit.Soft75:
		kind = report.Deferral
	}
	return kind, text(o)
}

// text returns the output as the text of a report.
func text(o spawn.Outcome) []byte {
	const tooLong = "\nError report too long, sorry.\n"
	b := o.Output
	if o.Cut {
		// 3 bytes are the delivery number, the letter and the NUL of the reply.
		b = slices.Concat(b[:min(len(b), maxOutput-len(tooLong)-3)], []byte(tooLong))
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}
