// Qmail-getpw says which account receives the mail for a local address that users/cdb does not
// know.
//
//	usage  qmail-getpw local
//	uid    qmailp, group nofiles    exec  nothing
//	fd 1   the answer: user, uid, gid, home, dash and extension, each with a NUL after it
//	exit   0; 100 without an address; 111 when the answer is not to be had now
//	worker no file per job
package main

import (
	"io"
	"os"

	"qmail/internal/sys/proc"
	"qmail/internal/sys/sysuser"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func main() {
	proc.Begin()
	proc.Help("qmail-getpw: usage: qmail-getpw local")
	if l, ok := worker.Offered("qmail-getpw"); ok {
		proc.Exit(l.Serve(0, func(j worker.Job, out *worker.Output) worker.Answer {
			return worker.Answer{Code: answer(j.Args, out)}
		}))
	}
	proc.Exit(answer(os.Args[1:], os.Stdout))
}

// answer writes who receives the mail for the address in args.
func answer(args []string, out io.Writer) exit.Code {
	if len(args) == 0 {
		return exit.Perm
	}
	u, err := search(args[0], sysuser.Lookup, homeOwner)
	if err != nil {
		return exit.Temp
	}
	if _, err := out.Write(u.Append(nil)); err != nil {
		return exit.Temp
	}
	return exit.OK
}
