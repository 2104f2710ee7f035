// Qmail-release has qmail-send try held messages again, now.
//
//	uid   root or qmails, who may ask qmail-send
//	fd 1  a line about each message
//	args  [-s sender] [-r recipient] [id ...]; -s and -r may be repeated, and * in them stands for anything
//	exec  nothing
//	exit  0; 100 usage, or a message was not in the queue; 111 if qmail-send is not running or cannot do it now
package main

import (
	"os"

	"qmail/conf"
	"qmail/internal/send/queuetool"
	"qmail/internal/send/sendctl"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	if err := proc.Chdir(conf.Home(), "queue"); err != nil {
		proc.Die(exit.Temp, "qmail-release: fatal: unable to chdir: "+sys.Reason(err))
	}
	tool := queuetool.Tool{Name: "qmail-release", Verb: sendctl.Release, Done: "released"}
	proc.Exit(queuetool.Run(tool, os.Args[1:], queuetool.Here(), proc.FD(1, "list")))
}
