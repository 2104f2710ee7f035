// Qmail-newsenders makes users/senders.cdb of users/senders: who may send from which addresses.
//
//	uid   whoever may write HOME/users    exec  nothing
//	fd 2  what went wrong
//	exit  0 when the new users/senders.cdb is in place and on disk; 111 else, with the old one kept
//
// It writes users/senders.cdb.tmp first and leaves it behind when it fails.
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
	source = "users/senders"
	tmp    = "users/senders.cdb.tmp"
	target = "users/senders.cdb"
)

func main() {
	proc.Begin()
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	sys.Umask(0o033)
	f, err := os.Open(source)
	if err != nil {
		die("unable to open " + source)
	}
	db, err := cdb.Create(tmp)
	if err != nil {
		die("unable to open " + tmp)
	}
	if err := users.BuildSenders(f, db); err != nil {
		db.Abort()
		if _, ok := errors.AsType[*users.InputError](err); ok {
			die("unable to read " + source)
		}
		if err == users.ErrFormat {
			die("bad format in " + source)
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

func die(text string) { proc.Die(exit.Temp, "qmail-newsenders: fatal: "+text) }
