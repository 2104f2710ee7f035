package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"qmail/conf"
	"qmail/internal/net/listener"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/text/tcpenv"
	"qmail/internal/tls/holder"
)

// listen serves until SIGTERM. Sessions that run then are finished; a second SIGTERM ends them.
func listen(o options, fds []int, env []string) exit.Code {
	proc.BeginTurns()
	if sys.LeaveTerminal() != nil {
		return exit.Temp
	}
	var sockets []*sys.Listener
	for _, fd := range fds {
		l, err := sys.NewListener(fd)
		if err != nil {
			return exit.Temp
		}
		sockets = append(sockets, l)
	}
	self, err := os.Executable()
	if err != nil {
		self = filepath.Join(conf.Home(), "bin/tcp-env")
	}
	env = environ.With(env, peerlog.Variable+"=")
	s := listener.Service{
		Limit: o.limit, PerAddress: o.perAddress, Verbose: o.verbose, Control: control.Default(),
		Peer: o.peer, Env: env, Path: self, Command: o.program, Log: proc.FD(2, "log"),
	}
	if s.Worker = installed(o.program, env); s.Worker != "" {
		if _, tls := environ.Get(env, "SMTPS"); !tls {
			s.Busy = "421 too many connections (#4.7.0)\r\n"
		}
	}
	if s.Worker == "qmail-smtpsd" || s.Worker == "qmail-submitd" {
		keys := &holder.Holder{Log: s.Log}
		defer keys.Close()
		s.Extra = keys.Admit
	}
	term, stop := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		signal.Reset(syscall.SIGTERM)
		close(stop)
	}()
	s.Serve(sockets, stop)
	return exit.OK
}

// slacken has this program started again with the timer slack of a daemon, which a process gets from who starts it;
// whoever starts a listening tcp-env knows nothing of that. Where it cannot be, it goes on as it is.
func slacken() {
	if sys.Slack() == sys.DaemonSlack {
		return
	}
	sys.SetSlack(sys.DaemonSlack)
	if sys.Slack() == sys.DaemonSlack {
		proc.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}

// installed returns the name of a command that is a program of HOME/bin that can be a worker; else "".
func installed(command, env []string) string {
	file, err := proc.Look(command[0], env)
	if err != nil || len(command) != 1 {
		return ""
	}
	for _, name := range [...]string{"qmail-smtpd", "qmail-smtpsd", "qmail-submitd"} {
		if file == filepath.Join(conf.Home(), "bin", name) {
			return name
		}
	}
	return ""
}

// sockets returns the descriptors that are listening sockets and the environment without what systemd said of them.
func sockets(env []string) (fds []int, rest []string) {
	const first, most = 3, 64
	pid, _ := environ.Get(env, "LISTEN_PID")
	if n, ok := tcpenv.GetInt(env, "LISTEN_FDS"); ok && pid == strconv.Itoa(os.Getpid()) {
		for fd := first; fd < first+min(n, most); fd++ {
			if sys.IsListening(fd) {
				fds = append(fds, fd)
			}
		}
	}
	if len(fds) == 0 && sys.IsListening(0) {
		fds = []int{0}
	}
	return fds, environ.Without(env, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
}
