// Qmail-smtpd receives messages by SMTP; see qmail-smtpd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message
//	fd 0  the client      fd 1  the client
//	fd by SSLCTLFD, SSLREADFD, SSLWRITEFD  where it asks for TLS, what is said there, where it answers
//	env   tcp-environ(5), RELAYCLIENT, DATABYTES, QMAILQUEUE, LOGREFUSED, UCSPITLS, SSL_PROTOCOL, SSL_CIPHER
//	exit  0 after QUIT; 1 when the session ended otherwise
//
// Started by a listening tcp-env as a worker, it serves one connection after the other, each given to it with its own
// environment; the socket is closed before it tells that it is done.
package main

import (
	"os"

	"qmail/internal/smtp/sessions"
	"qmail/internal/sys/proc"
)

func main() {
	proc.BeginAlone()
	p := sessions.Program{Name: "qmail-smtpd", Equip: equip}
	proc.Exit(p.Run(os.Environ(), proc.FD(0, "client"), proc.FD(1, "client"), proc.FD(2, "log")))
}
