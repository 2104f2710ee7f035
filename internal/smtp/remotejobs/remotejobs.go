// Package remotejobs is what the programs that send by SMTP are as workers of qmail-rspawn.
package remotejobs

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

// Confine gives up, in a worker, all files but those that a delivery needs and what else is to be read and written; a
// start for each delivery would cost more than it is worth. The folder of resolv.conf stays, since that is replaced
// when the network changes.
func Confine(home string, read []string, write ...string) {
	lock := filepath.Join(home, "queue/lock")
	rights := sandbox.Rights{
		Network: true,
		Read:    append(read, filepath.Join(home, "control"), filepath.Dir(dns.SystemConf)),
		Write: append(write,
			filepath.Join(lock, tcpto.Name4), filepath.Join(lock, tcpto.Name6), filepath.Join(lock, tcpto.NameQuirks)),
	}
	if real, err := filepath.EvalSymlinks(dns.SystemConf); err == nil {
		rights.Read = append(rights.Read, filepath.Dir(real))
	}
	sandbox.Enter(rights) // where it fails, mail is delivered all the same
}

// patience is how long a host may let us wait when others wait for our slot, which SIGUSR1 tells.
const patience = 4 * time.Second

// Serve does deliveries for qmail-rspawn. The note in an answer tells it which address it was.
func Serve(l *worker.Link, r *remote.Remote) exit.Code {
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
		r.Take(j.Env)
		a := worker.Answer{Code: r.Deliver(j.Args, j.Files[0], out)}
		if to := r.Address(); to.IsValid() {
			a.Note = to.AppendTo(nil)
		}
		return a
	})
}
