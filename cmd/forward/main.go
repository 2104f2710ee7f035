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
	trace, ok := os.LookupEnv("DTLINE")
	if !ok {
		proc.Die(exit.Perm, fatal+"DTLINE not set")
	}
	sender, ok := os.LookupEnv("NEWSENDER")
	if !ok {
		proc.Die(exit.Perm, fatal+"NEWSENDER not set")
	}
	client := submit.New(os.Environ(), os.Stderr)
	qp, err := client.Copy(trace, os.Stdin, sender, os.Args[1:])
	if err != nil {
		r := report.Of(err)
		if r.Kind == report.Failure {
			proc.Die(exit.Perm, fatal+r.Error())
		}
		proc.Die(exit.Temp, fatal+r.Error())
	}
	proc.Die(exit.OK, "forward: qp "+strconv.FormatUint(qp, 10))
}
