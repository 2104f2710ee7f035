// Package rcptcheck is the door of an SMTP session at which programs are asked about recipients, as qmail's successors
// do. See qmail-smtpd(8).
package rcptcheck

import (
	"os"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
)

// Within is how long a program may take for a recipient.
const Within = 30 * time.Second

// unknown is the exit code of a program that does not know the recipient.
const unknown = exit.Perm

// A Door is that of one session. Clients who may relay, and users who have logged in, are not asked about.
type Door struct {
	programs [][]string
	env      []string
	home     string // where names without a slash in front are
	within   time.Duration
}

// Open returns the door of a session: RCPTCHECK names one program, and else control/rcptchecks one on each line, with
// its arguments. It is nil where there is none.
func Open(dir control.Dir, env []string, home string) (*Door, error) {
	d := &Door{env: env, home: home, within: Within}
	if p, set := environ.Get(env, "RCPTCHECK"); set {
		if p != "" {
			d.programs = [][]string{{p}}
		}
	} else {
		lines, _, err := dir.List("rcptchecks")
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			words := strings.FieldsFunc(l, func(c rune) bool { return c == ' ' || c == '\t' })
			if len(words) > 0 {
				d.programs = append(d.programs, words)
			}
		}
	}
	if d.programs == nil {
		return nil, nil
	}
	return d, nil
}

// Admit asks the programs about a recipient, until one refuses. One that cannot tell has the client come again.
func (d *Door) Admit(stage smtpd.Stage, v *smtpd.Visit) string {
	if stage != smtpd.AtRcpt || v.Relays {
		return ""
	}
	env := environ.With(environ.Without(d.env, "SENDER", "RECIPIENT", "HELO"), "SENDER="+v.Sender,
		"RECIPIENT="+v.Recipient, "HELO="+ascii.OneLine(v.Helo))
	for _, p := range d.programs {
		switch code, ok := d.run(p, env); {
		case !ok || code == int(exit.Temp) || code == cannotRun:
			return "451 sorry, I cannot tell now whether there is such a mailbox (#4.3.0)"
		case code == int(unknown):
			return "553 sorry, no mailbox here by that name (#5.1.1)"
		}
	}
	return ""
}

// cannotRun is the exit code by which such a program says that one it needs could not be run.
const cannotRun = 120

// run runs a program with an empty input.
func (d *Door) run(args, env []string) (code int, ok bool) {
	return Run(d.home, args, env, d.within, nil)
}

// Run runs a program, with its arguments, for one recipient: descriptors 0, 1 and 2 are empty, and 3 is a pipe with
// what a pipe has room for, unless that is nil. A name without a slash in front is below home. The program, and all
// that it has started, is ended when its time is over; ok is false where it could not be run, was killed, or was too
// slow.
func Run(home string, args, env []string, within time.Duration, three []byte) (code int, ok bool) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, false
	}
	defer null.Close()
	proc.CatchPipe() // which the program is to know as usual
	path := args[0]
	if !strings.HasPrefix(path, "/") {
		path = home + "/" + path
	}
	files := []*os.File{null, null, null}
	if three != nil {
		r, w, err := sys.Pipe()
		if err != nil {
			return 0, false
		}
		w.Write(three)
		w.Close()
		defer r.Close()
		files = append(files, r)
	}
	child, err := priv.Start(priv.Child{Path: path, Args: args, Env: env, Files: files, Apart: true, Expendable: true})
	if err != nil {
		return 0, false
	}
	group := priv.Group{Pid: child.Pid}
	late := time.AfterFunc(within, group.Kill)
	state, err := child.Wait()
	if !late.Stop() || err != nil {
		return 0, false
	}
	code = state.ExitCode()
	return code, code >= 0
}
