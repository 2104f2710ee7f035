// Qmail-remote sends one message to one host by SMTP.
//
//	uid   qmailr          exec  nothing
//	args  host, sender, one recipient or more
//	fd 0  the message     fd 1  the report, see qmail-remote(8)
//	fd 3  in worker form, jobs from qmail-rspawn
//	exit  0, whatever the report says; 111 if it could not be written
package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/net/dns"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func main() {
	proc.BeginAlone()
	home := conf.Home()
	out := proc.FD(1, "report")
	if proc.Chdir(home) != nil {
		out.WriteString("ZUnable to switch to home directory. (#4.3.0)\n\x00")
		proc.Exit(exit.OK)
	}
	r := remote.New(home)
	if l, ok := worker.Offered("qmail-remote"); ok {
		confine()
		proc.Exit(serve(l, r))
	}
	proc.Exit(r.Deliver(os.Args[1:], proc.FD(0, "message"), out))
}

// confine gives up, in a worker, all files but those that a delivery needs; a start for each delivery would cost more
// than it is worth. The folder of resolv.conf stays, since that is replaced when the network changes.
func confine() {
	home, lock := conf.Home(), filepath.Join(conf.Home(), "queue/lock")
	rights := sandbox.Rights{
		Network: true,
		Read:    []string{filepath.Join(home, "control"), filepath.Dir(dns.SystemConf)},
		Write: []string{
			filepath.Join(lock, tcpto.Name4), filepath.Join(lock, tcpto.Name6), filepath.Join(lock, tcpto.NameQuirks),
		},
	}
	if real, err := filepath.EvalSymlinks(dns.SystemConf); err == nil {
		rights.Read = append(rights.Read, filepath.Dir(real))
	}
	sandbox.Enter(rights) // where it fails, mail is delivered all the same
}

// patience is how long a host may let us wait when others wait for our slot, which SIGUSR1 tells.
const patience = 4 * time.Second

// serve does deliveries for qmail-rspawn. The note in an answer tells it which address it was.
func serve(l *worker.Link, r *remote.Remote) exit.Code {
	r.Keep = true
	defer r.Rest()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			r.Hurry(patience)
		}
	}()
	l.Idle(remote.RestAfter, r.Rest)
	return l.Serve(1, func(j worker.Job, out *worker.Output) worker.Answer {
		a := worker.Answer{Code: r.Deliver(j.Args, j.Files[0], out)}
		if to := r.Address(); to.IsValid() {
			a.Note = to.AppendTo(nil)
		}
		return a
	})
}
