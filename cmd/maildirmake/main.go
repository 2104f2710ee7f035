// Maildirmake makes a Maildir; see maildirmake(1).
//
//	uid   any     exec  nothing     fd 2  what went wrong
//	args  name
//	exit  0 made; 100 usage; 111 not made
package main

import (
	"errors"
	"io/fs"
	"os"

	"qmail/internal/local/maildir"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("maildirmake: usage: maildirmake name")
	sys.Umask(0o077)
	if len(os.Args) < 2 {
		proc.Die(exit.Perm, "maildirmake: usage: maildirmake name")
	}
	err := maildir.Make(os.Args[1])
	if err == nil {
		proc.Exit(exit.OK)
	}
	what := "unable to mkdir " + os.Args[1]
	var pe *fs.PathError
	if errors.As(err, &pe) {
		what = "unable to " + pe.Op + " " + pe.Path
	}
	proc.Die(exit.Temp, "maildirmake: fatal: "+what+": "+sys.Reason(err))
}
