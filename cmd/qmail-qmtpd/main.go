// Qmail-qmtpd receives messages by QMTP; see qmail-qmtpd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message
//	fd 0  the client      fd 1  the client
//	env   tcp-environ(5), QMAILQUEUE, RELAYCLIENT, DATABYTES
//	exit  0 when the client has gone; 100 when it broke the protocol; 111 for trouble here
package main

import (
	"os"
	"time"

	"qmail/internal/qmtp/qmtpd"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/sys/proc"
)

func main() {
	proc.BeginAlone()
	queue := submit.New(os.Environ(), proc.FD(2, "log"))
	queue.Keep(submit.How{})
	s := qmtpd.Server{Control: control.Default(), Env: os.Environ(), Queue: queue, Now: time.Now}
	code := s.QMTP(proc.FD(0, "client"), proc.FD(1, "client"))
	queue.Close()
	proc.Exit(code)
}
