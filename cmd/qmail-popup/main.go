// Qmail-popup reads a POP3 user's name and password and runs a program that checks them; see
// qmail-popup(8).
//
//	uid   root, normally  exec  itself as qmaild, which talks with the client; then the program of its arguments, once
//	fd 0  the client      fd 1  the client
//	fd 3  of the one that talks: a pipe to the other, for a login
//	args  host name, program, its arguments
//	env   TCPREMOTEIP, LOGREFUSED
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
)

// over is the exit code, whatever happened: the program has served the client, or nobody will.
const over exit.Code = 1

func main() {
	proc.Begin()
	if sys.NotDumpable() != nil {
		proc.Exit(over)
	}
	in, out, log := proc.FD(0, "client"), proc.FD(1, "client"), proc.FD(2, "log")
	if os.Args[0] == talker && len(os.Args) == 2 {
		talk(os.Args[1], in, out)
		proc.Exit(over)
	}
	if len(os.Args) < 3 {
		out.WriteString("-ERR usage: popup hostname subprogram\r\n")
		proc.Exit(over)
	}
	program := os.Args[2:]
	start := func(login *os.File) (func() (exit.Code, bool), error) {
		path, err := proc.Look(program[0], os.Environ())
		if err == nil {
			return run(path, program, []*os.File{in, out, log, login})
		}
		return func() (exit.Code, bool) { return over, false }, nil
	}
	p := pop3.Popup{
		Host: os.Args[1], Pid: os.Getpid(), Now: time.Now, Start: start,
		Log: peerlog.Of(proc.Log(in, out), "qmail-popup", os.Environ(), os.Getpid()),
	}
	if os.Getuid() != 0 {
		p.Serve(in, out)
	} else if l, ok := ask(p.Host, in, out, log); ok {
		p.Check(l, in, out)
	}
	proc.Exit(over)
}

func run(path string, args []string, files []*os.File) (func() (exit.Code, bool), error) {
	p, err := priv.Start(priv.Child{Path: path, Args: args, Env: os.Environ(), Files: files})
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
