// Qmail-pop3d serves a Maildir by POP3, after the login; see qmail-pop3d(8).
//
//	uid   the user's      exec  nothing
//	fd 0  the client      fd 1  the client
//	args  the Maildir
//	exit  0; 111 where it cannot begin
package main

import (
	"os"
	"time"

	"qmail/internal/pop3"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-pop3d: usage: qmail-pop3d maildir")
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	m := pop3.Mailbox{Now: time.Now}
	if len(os.Args) > 1 {
		m.Dir = os.Args[1]
	}
	sandbox.Enter(sandbox.Rights{Write: []string{m.Dir}}) // where it fails, the session is what it was without
	m.Serve(proc.FD(0, "client"), proc.FD(1, "client"))
	proc.Exit(exit.OK)
}
