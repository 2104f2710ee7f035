// Qmail-remote sends one message to one host by SMTP.
//
//	uid   qmailr          exec  nothing
//	args  host, sender, one recipient or more
//	fd 0  the message     fd 1  the report, see qmail-remote(8)
//	fd 3  in worker form, jobs from qmail-rspawn
//	exit  0, whatever the report says; 111 if it could not be written
package main

import (
	"os"

	"qmail/conf"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/remotejobs"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-remote: usage: qmail-remote host sender recipient ...")
	home := conf.Home()
	out := proc.FD(1, "report")
	if proc.Chdir(home) != nil {
		out.WriteString("ZUnable to switch to home directory. (#4.3.0)\n\x00")
		proc.Exit(exit.OK)
	}
	r := remote.New(home)
	if l, ok := worker.Offered("qmail-remote"); ok {
		remotejobs.Confine(home, nil)
		proc.Exit(remotejobs.Serve(l, r))
	}
	r.Take(os.Environ())
	proc.Exit(r.Deliver(os.Args[1:], proc.FD(0, "message"), out))
}
