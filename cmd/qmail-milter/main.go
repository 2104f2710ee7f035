// Qmail-milter has content filters look at a message before it is queued: milters, and rspamd; see qmail-milter(8).
//
//	uid   qmaild, or whoever has mail, in qmail-queue's place
//	fd 0  the message; then
//	fd 1  the envelope, as qmail-queue reads it
//	fd 3  of a worker only: jobs, each with a message and an envelope, by two descriptors or in the job itself
//	fd 6  where a pipe is there: why a message is refused, beside exit code 82
//	env   RELAYCLIENT: the client is known
//	exec  qmail-queue, or what stands behind qmail-milter in control/filters, for each message
//	exit  those of qmail-queue; 31 it is refused, 71 it may come again; 82 the same, as descriptor 6 says
package main

import (
	"os"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/milter"
	"qmail/internal/submit/envelope"
	"qmail/internal/submit/filter"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

const name = "qmail-milter"

func main() {
	proc.BeginAlone()
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	proc.Help("qmail-milter: usage: qmail-milter, with the message on descriptor 0 and the envelope on descriptor 1")
	f := filter.Filter{Name: name, Env: os.Environ(), Log: proc.FD(2, "log"), Look: look}
	if link, ok := worker.Offered(name); ok {
		proc.Exit(f.Serve(link))
	}
	proc.Exit(f.Once(proc.FD(0, "message"), proc.FD(1, "envelope"), proc.FD(envelope.ReasonFD, "reason")))
}

// look asks those that control/milters names.
func look(m *filter.Message) filter.Verdict {
	servers, err := milter.Read(control.Default())
	if err != nil {
		return filter.Verdict{Refusal: envelope.Meaning(envelope.BadControl)}
	}
	return milter.Look(servers, m, time.Now())
}
