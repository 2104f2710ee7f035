// Qmail-newu makes users/cdb of users/assign.
//
//	uid   whoever may write HOME/users    exec  nothing
//	fd 2  what went wrong
//	exit  0 when the new users/cdb is in place and on disk; 111 else, with the old one kept
//
// It writes users/cdb.tmp first and leaves it behind when it fails.
package main

import (
	"qmail/conf"
	"qmail/internal/site/users"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-newu: usage: qmail-newu")
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	sys.Umask(0o033)
	if err := users.Make("users/assign", "users/cdb", users.Build); err != nil {
		die(err.Error())
	}
	proc.Exit(exit.OK)
}

func die(text string) { proc.Die(exit.Temp, "qmail-newu: fatal: "+text) }
