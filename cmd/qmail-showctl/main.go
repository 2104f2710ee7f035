// Qmail-showctl explains the control files as they are now.
//
//	uid    anybody who may read control
//	fd 1   a heading, then a paragraph for each file
//	exit   0; 111 when control cannot be entered
package main

import (
	"bufio"
	"os"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-showctl: usage: qmail-showctl")
	out := bufio.NewWriter(os.Stdout)
	code := exit.OK
	ids, err := passwd.QmailIDs()
	if err != nil {
		proc.Die(exit.Temp, "qmail-showctl: fatal: "+err.Error())
	}
	heading(out, conf.Home(), ids, sandbox.Version())
	if oops := show(out, control.Default()); oops != "" {
		out.WriteString("Oops! " + oops + "\n")
		code = exit.Temp
	}
	if out.Flush() != nil {
		code = exit.Temp
	}
	proc.Exit(code)
}
