// Maildir2mbox moves all mail from a Maildir to the end of an mbox; see maildir2mbox(1).
//
//	uid   the user's     exec  nothing     fd 2  what went wrong
//	env   MAILDIR; MAIL, the mbox; MAILTMP, a file on the same filesystem that becomes the new mbox
//	exit  0 moved, or nothing to move; 111 nothing moved
package main

import (
	"os"
	"time"

	"qmail/internal/local/maildir"
	"qmail/internal/local/mbox"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

const fatal = "maildir2mbox: fatal: "

func main() {
	proc.Begin()
	proc.Help("maildir2mbox: usage: maildir2mbox")
	sys.Umask(0o077)
	box := proc.Variable(os.LookupEnv, "MAIL", fatal, exit.Temp)
	tmp := proc.Variable(os.LookupEnv, "MAILTMP", fatal, exit.Temp)
	dir := proc.Variable(os.LookupEnv, "MAILDIR", fatal, exit.Temp)
	if err := os.Chdir(dir); err != nil {
		die("unable to chdir to "+dir, err)
	}
	now := time.Now()
	maildir.CleanTmp(".", now)
	list, err := maildir.Scan(".")
	if err != nil {
		die("unable to scan "+dir, err)
	}
	list = before(list, now)
	if len(list) == 0 {
		proc.Exit(exit.OK)
	}
	lock, err := mbox.Lock(box)
	if err != nil {
		die("unable to lock "+box, err)
	}
	if err := join(box, tmp, list); err != nil {
		os.Remove(tmp)
		die(err.what, err.err)
	}
	for _, e := range list {
		if err := os.Remove(e.Path); err != nil {
			os.Stderr.WriteString("maildir2mbox: warning: unable to delete " + e.Path + ": " + sys.Reason(err) + "\n")
		}
	}
	lock.Close()
	proc.Exit(exit.OK)
}

func die(what string, err error) {
	proc.Die(exit.Temp, fatal+what+": "+sys.Reason(err))
}

// before leaves out what came this very second: more may come with the same time, and belong before it.
func before(list []maildir.Entry, now time.Time) []maildir.Entry {
	for i, e := range list {
		if e.Time.Unix() >= now.Unix() {
			return list[:i]
		}
	}
	return list
}
