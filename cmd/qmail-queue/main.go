// Qmail-queue takes one message into the queue.
//
//	uid   qmailq by its setuid bit, started by anybody; the real uid is the caller's
//	fd 0  the message, read to its end; then
//	fd 1  the envelope: F sender NUL, T recipient NUL for each recipient, NUL
//	args  dsn alone: records of what the sender asks for follow the envelope; of a worker they do without it
//	fd 3  of a worker only, which qmaild's and qmails's programs start: jobs, each with a message and an
//	      envelope, by two descriptors or in the job itself; the output is the message's number
//	exec  nothing
//	exit  0 when the message is in the queue and on disk; else the codes of package envelope: 11 address too long,
//	      52 a day has passed, 53 write error or nearly no space, 54 read error, 61 no home, 62 no queue,
//	      63-66 a file could not be made, 81 a signal that only a bug sends, 91 malformed envelope
//
// Other arguments are not looked at, and nothing of the environment is.
package main

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func main() {
	proc.BeginQuiet()
	proc.Help("qmail-queue: usage: qmail-queue")
	ignoreSignals()
	catchSignals()
	sys.Umask(0o033)
	if proc.Chdir(conf.Home()) != nil {
		proc.Exit(envelope.NoHome)
	}
	if proc.Chdir("queue") != nil {
		proc.Exit(envelope.NoQueue)
	}
	users := conf.UserNames()
	q, us := queue.Open(".", nil), caller{uid: os.Getuid(), pid: os.Getpid()}
	us.name, _ = passwd.Which(us.uid, users.Alias, users.Daemon, users.Send)
	if us.name == users.Daemon || us.name == users.Send {
		if link, ok := worker.Offered("qmail-queue"); ok {
			link.Contents = true
			numbers := series{pid: us.pid}
			proc.Exit(link.Serve(2, func(j worker.Job, out *worker.Output) worker.Answer {
				qp := numbers.next(time.Now())
				out.Write(strconv.AppendUint(nil, qp, 10))
				if c := j.Contents; len(c) > 0 {
					return worker.Answer{Code: enqueue(q, us, qp, bytes.NewReader(c[0]), bytes.NewReader(c[1]), true)}
				}
				return worker.Answer{Code: inTime(func() exit.Code {
					return enqueue(q, us, qp, j.Files[0], j.Files[1], true)
				})}
			}))
		}
	}
	text, env := proc.FD(0, "message"), proc.FD(1, "envelope")
	if proc.WasClosed(text) || proc.WasClosed(env) {
		proc.Exit(envelope.ReadError)
	}
	asks := len(os.Args) == 2 && os.Args[1] == envelope.AskArgument
	proc.Exit(inTime(func() exit.Code { return enqueue(q, us, uint64(us.pid), &bounded{r: text}, env, asks) }))
}
