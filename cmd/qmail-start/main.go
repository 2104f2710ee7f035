// Qmail-start starts qmail: it turns on the four daemons, and a logger if one is named; see qmail-start(8).
//
//	usage  qmail-start [defaultdelivery [logger arg ...]]
//	uid    root
//	fd 1   the log, where no logger is named; it becomes descriptor 2 of the helpers
//	exec   qmail-lspawn as root, qmail-rspawn as qmailr, qmail-clean as qmailq, the logger as qmaill;
//	       itself it becomes qmail-send as qmails
//	exit   111 if it cannot; else that of qmail-send
//
// As process 1 of a container it stays, passes TERM, INT, ALRM and HUP on, and reaps whom nobody else waits for.
//
//go:debug updatemaxprocs=0
package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

// standard is how mail is delivered where neither a .qmail file nor our caller says.
const standard = "./Mailbox"

// descriptors is how many qmail-send begins with.
const descriptors = 7

func main() {
	proc.Begin()
	proc.Help("qmail-start: usage: qmail-start [defaultdelivery [logger arg ...]]")
	if os.Getpid() == 1 {
		code, err := first()
		if err != nil {
			proc.Die(code, "qmail-start: fatal: "+err.Error())
		}
		proc.Exit(code)
	}
	err := sys.Reserve(descriptors, 1)
	if err == nil {
		err = start(os.Args[1:])
	}
	proc.Die(exit.Temp, "qmail-start: fatal: "+err.Error())
}

// start starts everything, each in a session of its own: none keeps the terminal of the shell that we were started
// from. It returns only when that fails; helpers that run already end with their pipes.
func start(args []string) error {
	ids, err := passwd.QmailIDs()
	if err != nil {
		return err
	}
	if err := proc.Chdir("/"); err != nil {
		return err
	}
	if err := sys.LeaveTerminal(); err != nil {
		return err
	}
	sys.Umask(0o077)
	delivery := standard
	if len(args) > 0 {
		delivery = args[0]
	}
	log := proc.FD(1, "log")
	if len(args) > 1 {
		if log, err = logger(args[1:], priv.ID{UID: ids.Log, GID: ids.NoFiles}); err != nil {
			return err
		}
	}
	files := []*os.File{log}
	for _, h := range [...]struct {
		args  []string
		as    priv.ID
		env   []string
		slack time.Duration
	}{
		{[]string{"qmail-lspawn", delivery}, priv.ID{UID: ids.Root, GID: ids.Qmail}, os.Environ(), sys.DaemonSlack},
		{[]string{"qmail-rspawn"}, priv.ID{UID: ids.Remote, GID: ids.Qmail}, os.Environ(), sys.DaemonSlack},
		// Qmail-clean does one thing at a time and starts nothing that would see its environment; see sys.WorkerSlack.
		{[]string{"qmail-clean"}, priv.ID{UID: ids.Queue, GID: ids.Qmail}, worker.Environ(os.Environ()), sys.WorkerSlack},
	} {
		to, from, err := helper(priv.Child{Path: program(h.args[0]), Args: h.args, As: &h.as, Env: h.env,
			Slack: h.slack}, log)
		if err != nil {
			return err
		}
		files = append(files, to, from)
	}
	if err := priv.Become(priv.ID{UID: ids.Send, GID: ids.Qmail}); err != nil {
		return err
	}
	sys.SetSlack(sys.DaemonSlack)
	return sys.Become(program("qmail-send"), []string{"qmail-send"}, os.Environ(), files)
}

func program(name string) string { return filepath.Join(conf.Home(), "bin", name) }

// helper starts a program with a pipe in and a pipe out, and returns our ends of them.
func helper(c priv.Child, log *os.File) (to, from *os.File, err error) {
	in, to, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	from, out, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	c.Files = []*os.File{in, out, log}
	_, err = priv.Start(c)
	in.Close()
	out.Close()
	return to, from, err
}

// pipe makes a pipe that is close-on-exec and whose ends wait, as programs expect of a descriptor that they are given.
func pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	for _, f := range [...]*os.File{r, w} {
		if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
			return nil, nil, err
		}
	}
	return r, w, nil
}

// logger starts the logger, which is looked for in PATH, and returns where the log goes.
func logger(args []string, as priv.ID) (*os.File, error) {
	path, err := proc.Look(args[0], os.Environ())
	if err != nil {
		return nil, err
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	_, err = priv.Start(priv.Child{
		Path: path, Args: args, Env: os.Environ(), Files: []*os.File{r, os.Stdout, os.Stderr}, As: &as,
	})
	r.Close()
	return w, err
}
