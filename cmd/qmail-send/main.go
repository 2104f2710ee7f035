// Qmail-send delivers the messages of the queue; see qmail-send(8).
//
//	uid   qmails, group qmail; qmail-start becomes it
//	fd 0  the log, written line by line
//	fd 1  orders to qmail-lspawn    fd 2  its replies
//	fd 3  orders to qmail-rspawn    fd 4  its replies
//	fd 5  requests to qmail-clean   fd 6  its answers
//	exec  qmail-queue, for bounces
//	exit  0 after SIGTERM or the loss of a helper; 111 if it cannot start
//
// SIGTERM: end when the deliveries that run have ended; again: give up those whose hosts are silent.
// SIGALRM: try everything now. SIGHUP: read control/locals and control/virtualdomains again.
//
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send"
	"qmail/internal/send/reasons"
	"qmail/internal/send/sendctl"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/counters"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/qlog"
)

// processors is how many goroutines run at once during a walk over the queue, where some wait for the disk again
// and again. Otherwise they take turns.
const processors = 8

func walking(on bool) {
	if on {
		runtime.GOMAXPROCS(processors)
	} else {
		runtime.GOMAXPROCS(1)
	}
}

func main() {
	proc.Begin()
	if len(os.Args) > 1 {
		proc.Die(exit.Perm, "qmail-send: usage: qmail-send, started by qmail-start")
	}
	out := proc.FD(0, "log")
	debug.SetCrashOutput(out, debug.CrashOptions{})
	var log io.Writer = out
	if sys.IsJournal(out) {
		log = qlog.Levels{To: out}
	}
	cannot := func(why string, err error) {
		log.Write(qlog.Alert(nil, "cannot start: "+why+because(err)))
		proc.Exit(exit.Temp)
	}
	if err := proc.Chdir(conf.Home()); err != nil {
		cannot("unable to switch to home directory", err)
	}
	controls, err := send.ReadControls(control.Default())
	if err != nil {
		cannot("unable to read controls", err)
	}
	if err := proc.Chdir("queue"); err != nil {
		cannot("unable to switch to queue directory", err)
	}
	sys.Umask(0o077)
	lock, err := queue.LockSend(".")
	if err == sys.ErrLocked {
		cannot("qmail-send is already running", nil)
	}
	if err != nil {
		cannot("unable to open mutex", err)
	}
	defer lock.Close()
	trigger, err := queue.OpenTrigger(".")
	if err != nil {
		cannot("unable to open trigger", err)
	}
	q := queue.Open(".", nil)
	if err := q.CheckSplit(); err == queue.ErrSplit {
		cannot(err.Error(), nil)
	} else if err != nil {
		cannot("unable to see how mess is split", err)
	}
	asked := make(chan send.Request)
	// Without its folder the queue tools are not served; mail is.
	sendctl.Listen(".", func(r sendctl.Request) sendctl.Answer {
		answer := make(chan sendctl.Answer, 1)
		asked <- send.Request{Request: r, Answer: answer}
		return <-answer
	})
	clean := send.Pipe{To: proc.Pipe(5, "requests to qmail-clean"), From: proc.Pipe(6, "answers of qmail-clean")}
	clean.Await() // signals are not caught yet, so SIGTERM ends it
	proc.Exit(send.Run(send.Config{
		Dir: control.Default(), Controls: controls, Queue: q, Log: log,
		Spawner: [2]send.Pipe{
			queue.Local:  {To: proc.Pipe(1, "orders to qmail-lspawn"), From: proc.Pipe(2, "replies of qmail-lspawn")},
			queue.Remote: {To: proc.Pipe(3, "orders to qmail-rspawn"), From: proc.Pipe(4, "replies of qmail-rspawn")},
		},
		Clean:    clean,
		Trigger:  trigger.C,
		Signals:  signals(),
		Injector: send.NewInjector(os.Environ(), out),
		Now:      time.Now,
		Requests: asked, Walking: walking,
		Reasons: reasons.Create("."), Counters: counters.Open(counters.Send),
	}))
}

// because says which file it is, and what is the matter with it.
func because(err error) (text string) {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		text = ": " + e.Path
	}
	return text + ": " + sys.Reason(err)
}

// signals turns signals into what they ask for.
func signals() <-chan send.Signal {
	got, asked := make(chan os.Signal, 16), make(chan send.Signal)
	signal.Notify(got, syscall.SIGTERM, syscall.SIGALRM, syscall.SIGHUP)
	go func() {
		for s := range got {
			switch s {
			case syscall.SIGTERM:
				asked <- send.Stop
			case syscall.SIGALRM:
				asked <- send.RunAll
			case syscall.SIGHUP:
				asked <- send.Reread
			}
		}
	}()
	return asked
}
