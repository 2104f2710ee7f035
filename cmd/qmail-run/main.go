// Qmail-run has qmail-send try messages now: those that are named, or without arguments all.
//
//	uid   qmails, who may ask qmail-send; root becomes qmails
//	fd 1  a line about each message
//	args  [-s sender] [-r recipient] [id ...]; -s and -r may be repeated, and * in them stands for anything
//	exec  nothing
//	exit  0; 100 usage, or a message was not in the queue; 111 if qmail-send is not running or cannot do it now
package main

import (
	"os"

	"qmail/internal/send/queuetool"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Help("qmail-run: usage: qmail-run [-s sender] [-r recipient] [number ...]")
	proc.Exit(queuetool.Run("qmail-run", os.Args[1:], proc.FD(1, "list"), os.Stderr))
}
