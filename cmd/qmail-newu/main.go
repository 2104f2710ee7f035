// Qmail-newu makes users/cdb of users/assign.
//
//	uid   whoever may write HOME/users    exec  nothing
//	fd 2  what went wrong
//	exit  0 when the new users/cdb is in place and on disk; 111 else, with the old one kept
//
// It writes users/cdb.tmp first and leaves it behind when it fails.
package main

import (
	"errors"
	"os"

	"qmail/conf"
	"qmail/internal/site/users"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/cdb"
	"qmail/internal/text/exit"
)

const (
	assign = "users/assign"
	tmp    = "users/cdb.tmp"
	target = "users/cdb"
)

func main() {
	proc.Begin()
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	sys.Umask(0o033)
	f, err := os.Open(assign)
	if err != nil {
		die("unable to open " + assign)
	}
	db, err := cdb.Create(tmp)
	if err != nil {
		die("unable to open " + tmp)
	}
	if err := users.Build(f, db); err != nil {
		db.Abort()
		if _, ok := errors.AsType[*users.InputError](err); ok {
			die("unable to read " + assign)
		}
		if err == users.ErrFormat {
			die("bad format in " + assign)
		}
		die("unable to write to " + tmp)
	}
	if err := db.Commit(target); err != nil {
		if _, ok := errors.AsType[*os.LinkError](err); ok {
			die("unable to move " + tmp + " to " + target)
		}
		die("unable to write to " + tmp)
	}
	proc.Exit(exit.OK)
}

func die(text string) { proc.Die(exit.Temp, "qmail-newu: fatal: "+text) }
