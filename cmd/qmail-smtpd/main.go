// Qmail-smtpd receives messages by SMTP; see qmail-smtpd(8).
//
//	uid   qmaild          exec  qmail-queue, or what QMAILQUEUE names, for each message
//	fd 0  the client      fd 1  the client
//	env   tcp-environ(5), RELAYCLIENT, DATABYTES, QMAILQUEUE, LOGREFUSED
//	exit  0 after QUIT; 1 when the session ended otherwise
//
// Started by a listening tcp-env as a worker, it serves one connection after the other, each given to it with its own
// environment; the socket is closed before it tells that it is done.
package main

import (
	"io"
	"os"
	"time"

	"qmail/internal/net/client"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/submit"
	"qmail/internal/submit/room"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/crlf"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/worker"
)

func main() {
	proc.BeginAlone()
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	queue := submit.New(os.Environ(), proc.FD(2, "log"))
	code := run(queue)
	queue.Close()
	proc.Exit(code)
}

func run(queue *submit.Client) exit.Code {
	link, ok := worker.Offered("qmail-smtpd")
	queue.Keep(submit.How{Soon: ok, Alone: ok})
	if ok {
		var f client.Finder
		in := crlf.NewReader(nil)
		return link.Serve(1, func(j worker.Job, _ *worker.Output) worker.Answer {
			return worker.Answer{Code: work(queue, in, &f, j)}
		})
	}
	in, out := proc.FD(0, "client"), proc.FD(1, "client")
	return serve(queue, nil, os.Environ(), in, out, proc.Log(in, out))
}

// work serves one connection of a listening tcp-env, and first does what tcp-env does for a process: the job's
// arguments are those of its options that say what to find out. Descriptor 2 of a worker is tcp-env's.
func work(queue *submit.Client, in *crlf.Reader, f *client.Finder, j worker.Job) exit.Code {
	conn := j.Files[0]
	o, ok := client.ParseArgs(j.Args)
	if !ok {
		return exit.Temp
	}
	c, err := f.Of(conn, o, dns.SystemConf)
	if err != nil {
		return exit.Temp
	}
	env := c.Replace(j.Env)
	return serve(queue.With(env), in, env, conn, conn, os.Stderr)
}

func serve(queue *submit.Client, reader *crlf.Reader, env []string, in, out *os.File, log io.Writer) exit.Code {
	s := smtpd.Server{
		Control: control.Default(), Env: env, Queue: queue, Now: time.Now, In: reader, Room: room.ForNetwork,
		Log: peerlog.Of(log, "qmail-smtpd", env, os.Getpid()),
	}
	return s.Serve(in, out)
}
