// Qmail-submitd takes mail from users by SMTP, who log in for that; see qmail-submitd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message; qmail-key
//	fd 0  the client      fd 1  the client
//	fd 3, 4  of a worker: jobs from tcp-env, and qmail-key
//	env   as of qmail-smtpd; SMTPS
//	exit  0 after QUIT; 1 when the session ended otherwise
//
// Started by a listening tcp-env as a worker, it serves one connection after the other, as qmail-smtpd does. It asks
// the password server at control/authsocket.
package main

import (
	"os"

	"qmail/conf"
	"qmail/internal/smtp/sessions"
	"qmail/internal/smtp/shield"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/smtp/submission"
	"qmail/internal/sys/proc"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-submitd: usage: qmail-submitd")
	var s shield.Shield
	p := sessions.Program{
		Name: "qmail-submitd",
		Equip: func(worker bool, to *smtpd.Server) func() {
			s.Equip(worker, to, true)
			return submission.Equip(conf.Home(), to)
		},
		Spent: s.Spent,
	}
	proc.Exit(p.Run(os.Environ(), proc.FD(0, "client"), proc.FD(1, "client"), proc.FD(2, "log")))
}
