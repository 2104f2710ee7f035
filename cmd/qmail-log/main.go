// Qmail-log reads the logs of qmail-send and answers: what happened to a message, to the mail of a
// sender or for a recipient; how much, how fast, where to, and why not.
//
//	fd 0  a log, where no files are named    fd 1  the answer
//	args  [-afjmow] [-i id] [-q qp] [-s sender] [-r recipient] [-b since] [-e until] [-n top] [file ...]
//	exit  0; 100 for a usage error; 111 when a file cannot be read
package main

import (
	"os"

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
	if err := q.Answer(os.Stdin, os.Stdout); err != nil {
		proc.Die(exit.Temp, "qmail-log: "+err.Error())
	}
	proc.Exit(exit.OK)
}
