// Qmail-stats prints numbers about the mail system for Prometheus; see qmail-stats(8).
//
//	uid   qmails, who may read the queue; root becomes qmails, but for -c
//	fd 0  the client of -h
//	fd 1  the numbers, or that client
//	args  [-c | -h | -o file]: -c has what happens counted from now on; -h answers one request by HTTP; -o writes a file
//	exec  nothing
//	exit  0; 100 usage; 111 if that cannot be done now
package main

import (
	"os"

	"qmail/internal/send/metrics"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Help("qmail-stats: usage: qmail-stats [-c | -h | -o file]")
	proc.Exit(metrics.Run(os.Args[1:], proc.FD(0, "client"), proc.FD(1, "output"), os.Stderr))
}
