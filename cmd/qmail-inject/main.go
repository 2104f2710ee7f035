// Qmail-inject completes a message and hands it to qmail-queue; see qmail-inject(8).
//
//	qmail-inject [-nNaAhH] [-fsender] [recipient ...]
//
//	uid   any user     exec  qmail-queue, or $QMAILQUEUE
//	fd 0  the message  fd 1  the message as it would be queued, with -n   fd 2  why it was not queued
//	exit  0 queued or shown; 100 never try again; 111 try again later
package main

import (
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/submit/inject"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.BeginThin()
	proc.Help("qmail-inject: usage: qmail-inject [ -nNaAhH ] [ -f sender ] [ recipient ... ]")
	o, mistake := inject.ParseArgs(os.Args[1:])
	if o.Show || mistake != "" {
		proc.Begin()
	}
	if mistake != "" {
		proc.Die(exit.Perm, mistake)
	}
	if proc.WasClosed(os.Stdin) {
		proc.Begin()
		proc.Die(exit.Temp, "qmail-inject: fatal: read error")
	}
	env := os.Environ()
	proc.Exit(inject.Run(inject.World{
		Home: conf.Home(), Control: control.Default(), Env: env,
		Input: os.Stdin, Output: os.Stdout, Trouble: proc.Stderr{}, Queue: submit.New(env, os.Stderr),
		Now: time.Now(), Pid: os.Getpid(),
	}, o))
}
