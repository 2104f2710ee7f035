// Qmail-smtpd receives messages by SMTP; see qmail-smtpd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message; the program of its arguments,
//	                            for each login; what control/rcptchecks and smtpplugins name
//	fd 0  the client      fd 1  the client
//	fd by SSLCTLFD, SSLREADFD, SSLWRITEFD  where it asks for TLS, what is said there, where it answers
//	args  [host] checkpassword program [ arg ... ]: users may log in
//	env   tcp-environ(5), RELAYCLIENT, DATABYTES, RBLSMTPD, MFDNSCHECK, QMAILQUEUE,
//	      GREETDELAY, SMTPD_GREETDELAY, TARPITCOUNT, TARPITDELAY, NOSPP, SPPCONFFILE,
//	      LOGREFUSED, UCSPITLS, SSL_PROTOCOL, SSL_CIPHER,
//	      FORCETLS, SMTPAUTH, REQUIREAUTH, FORCEAUTHMAILFROM
//	exit  0 after QUIT; 1 when the session ended otherwise
//
// Started by a listening tcp-env as a worker, it serves one connection after the other, each given to it with its own
// environment; the socket is closed before it tells that it is done.
package main

import (
	"os"

	"qmail/internal/smtp/checker"
	"qmail/internal/smtp/sessions"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys/proc"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-smtpd: usage: qmail-smtpd [ [ host ] checkpassword program [ arg ... ] ]")
	in, out := proc.FD(0, "client"), proc.FD(1, "client")
	p := sessions.Program{Name: "qmail-smtpd", Equip: func(worker bool, to *smtpd.Server) func() {
		equip(worker, to)
		checker.Equip(os.Args[1:], to, proc.Log(in, out))
		return nil
	}}
	proc.Exit(p.Run(os.Environ(), in, out, proc.FD(2, "log")))
}
