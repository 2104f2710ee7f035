// Package sessions is what the programs that serve SMTP are to whoever starts them: for one client, or as workers of
// a listening tcp-env, one client after the other.
package sessions

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"qmail/internal/net/client"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/smtp/grey"
	"qmail/internal/smtp/lists"
	"qmail/internal/smtp/namecheck"
	"qmail/internal/smtp/plugins"
	"qmail/internal/smtp/rcptcheck"
	"qmail/internal/smtp/recipients"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/submit"
	"qmail/internal/submit/room"
	"qmail/internal/sys"
	"qmail/internal/sys/counters"
	"qmail/internal/sys/proc"
	"qmail/internal/text/crlf"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/worker"
)

// A Program is one of them.
type Program struct {
	Name string
	// Equip adds to a session what the program has besides, and returns what is to be done after it, which may be
	// nil; nil: nothing. worker is the same for all sessions of a process.
	Equip func(worker bool, s *smtpd.Server) (after func())
	// Spent reports whether a worker must not have another session; nil: it may.
	Spent func() bool

	counters *counters.File
}

// Run serves and returns the exit code. in and out are one client where this is no worker; log is descriptor 2.
func (p Program) Run(env []string, in, out, log *os.File) exit.Code {
	if sys.NotDumpable() != nil {
		return exit.Temp
	}
	p.counters = counters.Open(counters.Session)
	queue := submit.New(env, log)
	defer queue.Close()
	link, ok := worker.Offered(p.Name)
	queue.Keep(submit.How{Soon: ok, Alone: ok})
	if !ok {
		return p.serve(false, queue, nil, env, in, out, proc.Log(in, out))
	}
	var f client.Finder
	reader := crlf.NewReader(nil)
	return link.Serve(1, func(j worker.Job, _ *worker.Output) worker.Answer {
		code := p.work(queue, reader, &f, j, log)
		return worker.Answer{Code: code, Last: p.Spent != nil && p.Spent()}
	})
}

// work serves one connection of a listening tcp-env, and first does what tcp-env does for a process: the job's
// arguments are those of its options that say what to find out. Descriptor 2 of a worker is tcp-env's.
func (p Program) work(queue *submit.Client, in *crlf.Reader, f *client.Finder, j worker.Job, log *os.File) exit.Code {
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
	return p.serve(true, queue.With(env), in, env, conn, conn, log)
}

func (p Program) serve(
	worker bool, queue *submit.Client, reader *crlf.Reader, env []string, in, out *os.File, log io.Writer,
) exit.Code {
	s := smtpd.Server{
		Control: control.Default(), Env: env, Queue: queue, Now: time.Now, In: reader, Room: room.ForNetwork,
		Log: peerlog.Of(log, p.Name, env, os.Getpid()),
	}
	var boxes *recipients.Door
	defer func() { boxes.Close() }()
	s.Doors = func() (doors []smtpd.Door, err error) {
		if s.Submission != nil {
			return nil, nil
		}
		bad, err := lists.Open(s.Control)
		if err != nil {
			return nil, err
		}
		if bad != nil {
			doors = append(doors, bad)
		}
		home := filepath.Dir(string(s.Control))
		if boxes, err = recipients.Open(s.Control, s.Env, home); err != nil {
			return nil, err
		}
		if boxes != nil {
			doors = append(doors, boxes)
		}
		asked, err := rcptcheck.Open(s.Control, s.Env, home)
		if err != nil {
			return nil, err
		}
		later, err := grey.Open(s.Control, home)
		if err != nil {
			return nil, err
		}
		names, err := namecheck.Open(s.Control, s.Env, dns.SystemConf)
		if names != nil {
			doors = append(doors, names) // the DNS is dear
		}
		if asked != nil {
			doors = append(doors, asked) // a start for each recipient is dearer still
		}
		if later != nil {
			doors = append(doors, later) // only what is welcome otherwise is remembered
		}
		return doors, err
	}
	s.Plugins = func() (smtpd.Plugins, error) {
		if s.Submission != nil {
			return nil, nil
		}
		said := peerlog.Of(log, p.Name, environ.With(s.Env, peerlog.Variable+"="), os.Getpid())
		asked, err := plugins.Open(s.Control, s.Env, filepath.Dir(string(s.Control)), said)
		if asked == nil {
			return nil, err
		}
		return asked, nil
	}
	if p.counters != nil {
		s.Tally = p.count
	}
	if p.Equip != nil {
		if after := p.Equip(worker, &s); after != nil {
			defer after()
		}
	}
	return s.Serve(in, out)
}

// count adds a session to those of all processes of this program.
func (p Program) count(t smtpd.Tally) {
	var c counters.Slots
	add := func(what, n int) { c[counters.OfSession(p.Name, what)] += uint64(n) }
	one := map[bool]int{true: 1}
	add(counters.Sessions, 1)
	add(counters.Accepted, t.Accepted)
	add(counters.RefusedSoft, t.Refused[0])
	add(counters.RefusedHard, t.Refused[1])
	add(counters.WithTLS, one[t.TLS])
	add(counters.Logins, one[t.LoggedIn])
	add(counters.LoginsFailed, t.LoginsFailed)
	p.counters.Add(&c, time.Now())
}
