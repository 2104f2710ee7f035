// Package exit names the exit codes by which the programs speak to each other and to the
// commands of a .qmail file; see qmail-command(8).
package exit

// A Code is the exit code of a process.
type Code int

const (
	OK     Code = 0
	Crash  Code = 2   // the Go runtime could not start or died: always temporary
	Soft71 Code = 71  // EX_OSERR of sysexits
	Soft74 Code = 74  // EX_IOERR
	Soft75 Code = 75  // EX_TEMPFAIL
	Last   Code = 99  // success; ignore the rest of .qmail
	Perm   Code = 100 // never try again
	Temp   Code = 111 // try again later
)

// A Meaning is what a .qmail command says by its exit code.
type Meaning uint8

const (
	Deferral Meaning = iota // try this message again later
	Success                 // go on with the next instruction
	Stop                    // success; ignore the instructions that follow
	Failure                 // bounce the message
)

// CommandMeaning returns what exit code c of a .qmail command means, by qmail-command(8).
// A code that is not named there is a deferral.
func CommandMeaning(c Code) Meaning {
	switch c {
	case OK:
		return Success
	case Last:
		return Stop
	case Perm, 64, 65, 70, 76, 77, 78, 112:
		return Failure
	}
	return Deferral
}
