// Forward, in a .qmail file, sends a message to other addresses; see forward(1).
//
//	uid   the recipient's     exec  qmail-queue
//	fd 0  the message         fd 2  what happened
//	args  address ...
//	env   DTLINE, NEWSENDER
//	exit  0 queued; 100 never try again; 111 try again later
package main

import (
	"os"
	"strconv"

	"qmail/internal/submit"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

const fatal = "forward: fatal: "

func main() {
	proc.BeginAlone()
	proc.Help("forward: usage: forward address ...")
	trace := proc.Variable(os.LookupEnv, "DTLINE", fatal, exit.Perm)
	sender := proc.Variable(os.LookupEnv, "NEWSENDER", fatal, exit.Perm)
	client := submit.New(os.Environ(), os.Stderr)
	qp, err := client.Copy(trace, os.Stdin, sender, os.Args[1:])
	if err != nil {
		r := report.Of(err)
		proc.Die(r.Exit(), fatal+r.Error())
	}
	proc.Die(exit.OK, "forward: qp "+strconv.FormatUint(qp, 10))
}
