// Qmail-smtpsd receives messages by SMTP, with TLS for clients that want it; see qmail-smtpsd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message; qmail-key
//	fd 0  the client      fd 1  the client
//	fd 3, 4  of a worker: jobs from tcp-env, and qmail-key
//	args, env  as of qmail-smtpd; SMTPS
//	exit  0 after QUIT; 1 when the session ended otherwise
//
// Started by a listening tcp-env as a worker, it serves one connection after the other, as qmail-smtpd does.
package main

import (
	"os"

	"qmail/internal/smtp/checker"
	"qmail/internal/smtp/sessions"
	"qmail/internal/smtp/shield"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys/proc"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-smtpsd: usage: qmail-smtpsd [ [ host ] checkpassword program [ arg ... ] ]")
	in, out := proc.FD(0, "client"), proc.FD(1, "client")
	var s shield.Shield
	p := sessions.Program{
		Name: "qmail-smtpsd",
		Equip: func(worker bool, to *smtpd.Server) func() {
			s.Equip(worker, to, false)
			checker.Equip(os.Args[1:], to, proc.Log(in, out))
			return nil
		},
		Spent: s.Spent,
	}
	proc.Exit(p.Run(os.Environ(), in, out, proc.FD(2, "log")))
}
