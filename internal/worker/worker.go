// Package worker lets a program that does one job per start do more than one. Its parent
// starts it with no arguments, /dev/null as descriptors 0 to 2 and one end of a
// SOCK_SEQPACKET pair as descriptor 3; the program greets there, and then each job is one packet, with its open
// files or with what they hold, and is answered by one packet, with its output. The package knows nothing of mail.
// docs/INTERNALS.md has the packets.
//
// The parent's half is package worker/pool.
package worker

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

const (
	// Greeting is what a program says first when it is ready for jobs. The number is that of the form of the packets: a
	// parent and a worker of different forms never meet.
	Greeting = "qmail-worker 2\n"
	// MaxJobs is how many jobs one process does: what leaks, leaks no further.
	MaxJobs = 300
	// MaxIdle is how long a worker waits for its next job. It must exceed pool.MaxIdle, after which a
	// parent sends no more jobs, so that no job meets a worker that has just left.
	MaxIdle = 9 * time.Second
	// limitsAge is how long a look at the resource limits is good for. Only another process, of root's or of the same
	// user, changes them, and it can do that in the middle of a job as well.
	limitsAge = time.Second
	// gcPercent has a worker collect its garbage when there is less than a megabyte: there may be hundreds of them.
	gcPercent = 20

	socket = 3
)

// greeting is a variable so that a parent finds it in the program's file: of a constant the code may have pieces.
var greeting = Greeting

// oneProcessor is what a worker has in its environment besides: one job at a time needs one processor. With more of
// them a start costs threads that look for work, and a thread that waits costs switches.
const oneProcessor = "GOMAXPROCS=1"

// Environ returns the environment of a worker whose parent's is env.
func Environ(env []string) []string {
	name, _, _ := strings.Cut(oneProcessor, "=")
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return env
		}
	}
	return append(env[:len(env):len(env)], oneProcessor)
}

// ParentEnviron returns the environment of a worker's parent, for what the worker starts; env is the worker's.
func ParentEnviron(env []string) []string {
	if n := len(env); n > 0 && env[n-1] == oneProcessor {
		return env[: n-1 : n-1]
	}
	return env
}

// A Link is the worker's end of the connection to its parent.
type Link struct {
	// Contents says that jobs with Contents are welcome. There are then as many of them as there would be files.
	Contents bool

	f        *os.File
	idle     time.Duration
	rest     func()
	patience time.Duration // of the socket
	packet   []byte        // the last one that was sent
}

// Offered returns the link to a parent that wants a worker: descriptor 3 is a packet socket, there are no arguments,
// and this process runs HOME/bin/NAME itself. A program that took that name's place and then
// executes this one as NAME.orig does not get here, so it keeps seeing every message.
func Offered(name string) (*Link, bool) {
	if len(os.Args) != 1 {
		return nil, false
	}
	if !sys.IsPacketSocket(socket) {
		return nil, false
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return nil, false
	}
	installed, err := os.Stat(filepath.Join(conf.Home(), "bin", name))
	if err != nil || !os.SameFile(self, installed) {
		return nil, false
	}
	// What this program starts must not find the socket: it might take the offer for itself.
	syscall.CloseOnExec(socket)
	return Accept(proc.FD(socket, "parent")), true
}

// Accept makes a Link of a packet socket, which is the Link's then, without a look at the program that runs.
func Accept(f *os.File) *Link { return &Link{f: f, idle: MaxIdle} }

// Idle sets what to do once when no job has come for d, before the link waits on.
func (l *Link) Idle(d time.Duration, fn func()) { l.idle, l.rest = min(d, MaxIdle), fn }

// Serve greets the parent, does one job after the other, each with exactly the given number of
// files, and returns the exit code when the parent has closed its end, no job has come for MaxIdle,
// MaxJobs are done, a job was the last by its answer, or the process is not what it was: a
// resource limit has changed, which it sees a second later at the latest. The files are closed when fn returns, and
// the output is complete when nobody has its File open.
func (l *Link) Serve(files int, fn func(Job, *Output) Answer) exit.Code {
	if sys.NotDumpable() != nil {
		return exit.Temp
	}
	debug.SetGCPercent(gcPercent)
	limits, checked := sys.Limits(), time.Now()
	if sys.SendPacketWaiting(l.f, []byte(greeting)) != nil {
		return exit.OK
	}
	buf := make([]byte, MaxJob)
	for done := 1; ; done++ {
		job, number, err := l.next(buf, files)
		if err != nil {
			return exit.OK
		}
		if now := time.Now(); now.Sub(checked) > limitsAge {
			if sys.Limits() != limits {
				job.close()
				return exit.Temp
			}
			checked = now
		}
		out := &Output{link: l, number: number}
		a := fn(job, out)
		job.close()
		a.Last = a.Last || done == MaxJobs
		if out.end(a) != nil || a.Last {
			return exit.OK
		}
	}
}

// say sends a packet to the parent, and waits where that is slow: it reads while the job is not done.
func (l *Link) say(p Part) error {
	l.packet = p.append(l.packet[:0])
	return sys.SendPacketWaiting(l.f, l.packet)
}

// next waits for a job.
func (l *Link) next(buf []byte, files int) (Job, uint64, error) {
	n, fds, err := l.receive(l.idle, buf, files)
	if os.IsTimeout(err) && l.rest != nil {
		l.rest()
		n, fds, err = l.receive(MaxIdle-l.idle, buf, files)
	}
	if err != nil {
		return Job{}, 0, err
	}
	job, number, said, err := parseJob(buf[:n])
	job.Files = fds
	if err == nil && (len(fds) != said || !l.fits(job, files)) {
		err = errPacket
	}
	if err != nil {
		job.close()
	}
	return job, number, err
}

// fits reports whether a job has what it must: all the files, or all their contents.
func (l *Link) fits(j Job, files int) bool {
	if len(j.Contents) == 0 {
		return len(j.Files) == files
	}
	return l.Contents && len(j.Files) == 0 && len(j.Contents) == files
}

// receive waits for a packet, at most for d.
func (l *Link) receive(d time.Duration, buf []byte, files int) (int, []*os.File, error) {
	if d != l.patience {
		if err := sys.PacketTimeout(l.f, d); err != nil {
			return 0, nil, err
		}
		l.patience = d
	}
	return sys.ReceivePacketWaiting(l.f, buf, files)
}
