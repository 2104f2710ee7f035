// Qmail-popup reads a POP3 user's name and password and runs a program that checks them; see
// qmail-popup(8).
//
//	uid   root, normally  exec  itself as qmaild, which talks with the client; then the program of its arguments, once
//	fd 0  the client      fd 1  the client
//	fd 3  of the one that talks: a pipe to the other, for a login
//	fd 4, 5, 6  of the one that talks: where it asks for TLS, what is said there, where it answers
//	args  host name, program, its arguments
//	env   TCPREMOTEIP, LOGREFUSED, UCSPITLS, SSLCTLFD, SSLREADFD, SSLWRITEFD, SSL_PROTOCOL
//	exit  1, always
//
// The program has on descriptor 3 the name, the password and the banner's time stamp, each with a NUL
// behind it. It becomes the user and runs qmail-pop3d on descriptors 0 and 1.
package main

import (
	"os"
	"time"

	"qmail/internal/pop3"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/tls/ucspi"
)

// over is the exit code, whatever happened: the program has served the client, or nobody will.
const over exit.Code = 1

func main() {
	proc.Begin()
	proc.Help("qmail-popup: usage: qmail-popup host program [ arg ... ]")
	if sys.NotDumpable() != nil {
		proc.Exit(over)
	}
	in, out, log := proc.FD(0, "client"), proc.FD(1, "client"), proc.FD(2, "log")
	if os.Args[0] == talker && len(os.Args) == 3 {
		talk(os.Args[1], os.Args[2], in, out)
		proc.Exit(over)
	}
	if len(os.Args) < 3 {
		out.WriteString("-ERR usage: popup hostname subprogram\r\n")
		proc.Exit(over)
	}
	program, env := os.Args[2:], os.Environ()
	c := coverOf(env)
	p := pop3.Popup{
		Host: os.Args[1], Pid: os.Getpid(), Now: time.Now, TLS: c.tls(),
		Log: peerlog.Of(proc.Log(in, out), "qmail-popup", env, os.Getpid()),
	}
	began := p.Now()
	var l pop3.Login
	var ok bool
	if os.Getuid() != 0 {
		l, ok = p.Ask(in, out)
	} else {
		l, ok = ask(p.Host, c, in, out, log)
	}
	if !ok {
		p.Nobody(began)
		proc.Exit(over)
	}
	if c.begun {
		in, out = c.offer.In, c.offer.Out
	}
	p.Start = func(login *os.File) (func() (exit.Code, bool), error) {
		path, err := proc.Look(program[0], env)
		if err == nil {
			return run(path, program, ucspi.Without(env), []*os.File{in, out, log, login})
		}
		return func() (exit.Code, bool) { return over, false }, nil
	}
	p.Check(l, in, out)
	proc.Exit(over)
}

func run(path string, args, env []string, files []*os.File) (func() (exit.Code, bool), error) {
	p, err := priv.Start(priv.Child{Path: path, Args: args, Env: env, Files: files})
	if os.IsPermission(err) || os.IsNotExist(err) {
		return func() (exit.Code, bool) { return over, false }, nil
	}
	if err != nil {
		return nil, err
	}
	return func() (exit.Code, bool) {
		st, err := p.Wait()
		if err != nil {
			return over, false
		}
		return exit.Code(st.ExitCode()), !st.Exited()
	}, nil
}
