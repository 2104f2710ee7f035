// Qmail-newmrh makes control/morercpthosts.cdb of control/morercpthosts.
//
//	uid   whoever may write HOME/control    exec  nothing
//	fd 2  what went wrong
//	exit  0 when the new file is in place and on disk; 111 else, with the old one kept
//
// It writes control/morercpthosts.tmp first and leaves it behind when it fails.
package main

import (
	"errors"
	"os"

	"qmail/conf"
	"qmail/internal/site/rcpthosts"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/cdb"
	"qmail/internal/text/exit"
)

const (
	list   = "control/morercpthosts"
	tmp    = "control/morercpthosts.tmp"
	target = "control/morercpthosts.cdb"
)

func main() {
	proc.Begin()
	proc.Help("qmail-newmrh: usage: qmail-newmrh")
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	sys.Umask(0o033)
	f, err := os.Open(list)
	if err != nil {
		die("unable to read " + list + ": " + sys.Reason(err))
	}
	db, err := cdb.Create(tmp)
	if err != nil {
		die("unable to write to " + tmp + ": " + sys.Reason(err))
	}
	if err := rcpthosts.Build(f, db.Add); err != nil {
		db.Abort()
		if _, ok := errors.AsType[*rcpthosts.InputError](err); ok {
			die("unable to read " + list + ": " + sys.Reason(err))
		}
		die("unable to write to " + tmp + ": " + sys.Reason(err))
	}
	if err := db.Commit(target); err != nil {
		if _, ok := errors.AsType[*os.LinkError](err); ok {
			die("unable to move " + tmp + " to " + target + ": " + sys.Reason(err))
		}
		die("unable to write to " + tmp + ": " + sys.Reason(err))
	}
	proc.Exit(exit.OK)
}

func die(text string) { proc.Die(exit.Temp, "qmail-newmrh: fatal: "+text) }
