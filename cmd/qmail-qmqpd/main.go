// Qmail-qmqpd receives messages by QMQP; see qmail-qmqpd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message
//	fd 0  the client      fd 1  the client
//	env   tcp-environ(5), QMAILQUEUE, LOGREFUSED
//	exit  0 when the client has gone; 100 when it broke the protocol; 111 for trouble here
package main

import (
	"os"
	"time"

	"qmail/internal/qmtp/qmtpd"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/submit/room"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-qmqpd: usage: qmail-qmqpd")
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	in, out := proc.FD(0, "client"), proc.FD(1, "client")
	queue := submit.New(os.Environ(), proc.FD(2, "log"))
	s := qmtpd.Server{
		Control: control.Default(), Env: os.Environ(), Queue: queue, Now: time.Now, Room: room.ForNetwork,
		Log: peerlog.Of(proc.Log(in, out), "qmail-qmqpd", os.Environ(), os.Getpid()),
	}
	code := s.QMQP(in, out)
	queue.Close()
	proc.Exit(code)
}
