// Qmail-log reads the logs of qmail-send and of the servers and answers: what happened to a message, to the mail of a
// sender or for a recipient; how much, how fast, where to, and why not.
//
//	fd 0  a log, where no files are named and it is not a terminal; where it is empty: this system's log
//	fd 1  the answer
//	args  [-afjmow] [-i id] [-q qp] [-s sender] [-r recipient] [-b since] [-e until] [-n top] [file ...]
//	exec  journalctl, for this system's log
//	exit  0; 100 for a usage error; 111 when a log, or a line of one, cannot be read
package main

import (
	"os"
	"time"

	"qmail/internal/history"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	q, err := history.ParseArgs(os.Args[1:])
	if err != nil {
		proc.Die(exit.Perm, err.Error())
	}
	in := history.Input{Now: time.Now(), Journal: journal(), Folder: "/var/log"}
	if fi, err := os.Stdin.Stat(); err == nil && fi.Mode()&os.ModeCharDevice == 0 {
		in.Stdin = os.Stdin
	}
	if err := q.Answer(in, os.Stdout); err != nil {
		proc.Die(exit.Temp, "qmail-log: "+err.Error())
	}
	proc.Exit(exit.OK)
}
