// Qmail-tcpok forgets which hosts' connections timed out.
//
//	uid   qmailr; root becomes qmailr
//	fd 2  what went wrong
//	exit  0, or 111 if the table cannot be cleared
package main

import (
	"path/filepath"

	"qmail/conf"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-tcpok: usage: qmail-tcpok [ address ... ]")
	if err := lower.ToRemote(); err != nil {
		die("unable to become the owner of the table", err)
	}
	dir := filepath.Join(conf.Home(), "queue/lock")
	if err := proc.Chdir(dir); err != nil {
		die("unable to chdir to "+dir, err)
	}
	if err := tcpto.Table(dir).Clear(); err != nil {
		die("unable to write to "+dir+"/tcpto", err)
	}
	proc.Exit(exit.OK)
}

func die(what string, err error) {
	proc.Die(exit.Temp, "qmail-tcpok: fatal: "+what+": "+sys.Reason(err))
}
