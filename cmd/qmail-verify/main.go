// Qmail-verify looks at a message before it is queued: SPF, DKIM, DMARC; see qmail-verify(8).
//
//	uid   qmaild, or whoever has mail, in qmail-queue's place
//	fd 0  the message; then
//	fd 1  the envelope, as qmail-queue reads it
//	fd 3  of a worker only: jobs, each with a message and an envelope, by two descriptors or in the job itself
//	fd 6  where a pipe is there: why a message is refused, beside exit code 82
//	env   SPFBEHAVIOR, RELAYCLIENT: nothing is looked at
//	exec  qmail-queue, or what stands behind qmail-verify in control/filters, for each message
//	exit  those of qmail-queue; 31 it is refused, 71 it may come again; 82 the same, as descriptor 6 says
package main

import (
	"bytes"
	"io"
	"os"
	"strconv"

	"qmail/internal/submit"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker"
)

const name = "qmail-verify"

func main() {
	proc.BeginAlone()
	proc.Help("qmail-verify: usage: qmail-verify")
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	env := environ.Without(os.Environ(), "QMAILQUEUE")
	queue := submit.New(env, proc.FD(2, "log"))
	defer queue.Close()
	link, ok := worker.Offered(name)
	queue.Keep(submit.How{Soon: ok, Alone: ok})
	if !ok {
		_, known := environ.Get(env, "RELAYCLIENT")
		_, r := pass(queue, env, !known, proc.FD(0, "message"), proc.FD(1, "envelope"))
		proc.Exit(classic(r))
	}
	link.Contents = true
	proc.Exit(link.Serve(2, func(j worker.Job, out *worker.Output) worker.Answer {
		var text, envelope io.Reader
		if len(j.Contents) > 0 {
			text, envelope = bytes.NewReader(j.Contents[0]), bytes.NewReader(j.Contents[1])
		} else {
			text, envelope = j.Files[0], j.Files[1]
		}
		qp, r := pass(queue, env, true, text, envelope)
		return answer(out, qp, r)
	}))
}

// answer tells the parent of a worker: the number of the message, or why there is none.
func answer(out io.Writer, qp uint64, r *report.Report) worker.Answer {
	if r == nil {
		out.Write(strconv.AppendUint(nil, qp, 10))
		return worker.Answer{Code: envelope.Queued}
	}
	out.Write(envelope.Reason(r))
	return worker.Answer{Code: envelope.Custom}
}

// classic says the same to whoever started this for one message.
func classic(r *report.Report) exit.Code {
	if r == nil {
		return envelope.Queued
	}
	if why := proc.FD(envelope.ReasonFD, "reason"); sys.IsPipe(why) {
		if _, err := why.Write(envelope.Reason(r)); err == nil {
			return envelope.Custom
		}
	}
	if r.Kind == report.Failure {
		return envelope.Rejected
	}
	return envelope.NotNow
}
