// Condredirect, in a .qmail file, sends a message to another address if a command says so; see condredirect(1).
//
//	uid   the recipient's           exec  the command; qmail-queue
//	fd 0  the message, rewound      fd 2  what happened
//	args  newaddress program [ arg ... ]
//	env   SENDER, DTLINE
//	exit  99 redirected, ignore the rest of .qmail; 0 go on; 100 never try again; 111 try again later
package main

import (
	"io"
	"os"
	"strconv"

	"qmail/internal/local/command"
	"qmail/internal/submit"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

const fatal = "condredirect: fatal: "

func main() {
	proc.Begin()
	proc.Help("condredirect: usage: condredirect newaddress program [ arg ... ]")
	if len(os.Args) < 3 {
		proc.Die(exit.Perm, "condredirect: usage: condredirect newaddress program [ arg ... ]")
	}
	message := os.Stdin
	code, err := command.Condition(os.Args[2:], os.Environ(),
		[3]*os.File{message, os.Stdout, os.Stderr})
	if err != nil {
		proc.Die(exit.Temp, fatal+err.Error())
	}
	if code != exit.OK {
		proc.Exit(exit.OK)
	}
	if _, err := message.Seek(0, io.SeekStart); err != nil {
		proc.Die(exit.Temp, fatal+"unable to rewind: "+sys.Reason(err))
	}
	redirect(message, os.Args[1])
}

func redirect(message *os.File, address string) {
	sender := proc.Variable(os.LookupEnv, "SENDER", fatal, exit.Perm)
	trace := proc.Variable(os.LookupEnv, "DTLINE", fatal, exit.Perm)
	qp, err := submit.New(os.Environ(), os.Stderr).Copy(trace, message, sender, []string{address})
	if err != nil {
		r := report.Of(err)
		proc.Die(r.Exit(), fatal+r.Error())
	}
	proc.Die(exit.Last, "condredirect: qp "+strconv.FormatUint(qp, 10))
}
