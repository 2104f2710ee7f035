// Tcp-env tells a program about the TCP connection that it serves; see tcp-env(1) and tcp-environ(5).
//
//	uid   qmaild, normally  exec  the program of its arguments
//	fd 0  a connection, as from inetd nowait: tcp-env becomes the program
//	      or a listening socket, as from inetd wait: it accepts, and serves, until it gets SIGTERM
//	fd 3  and up: listening sockets of systemd, by LISTEN_PID and LISTEN_FDS
//	env   that of the program, but for what it sets
//	exit  111 when there is no connection or no program; 0 after SIGTERM
package main

import (
	"os"

	"qmail/internal/net/client"
	"qmail/internal/net/dns"
	"qmail/internal/net/proxy"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

func main() {
	proc.Begin()
	proc.Help("tcp-env: usage: tcp-env [ -rRv ] [ -t timeout ] [ -c limit ] [ -a limit ] program [ arg ... ]")
	o, ok := parse(os.Args[1:])
	if !ok || sys.NotDumpable() != nil { // whoever traced it would trace the server that it becomes
		proc.Exit(exit.Temp)
	}
	if fds, env := sockets(os.Environ()); len(fds) > 0 {
		slacken()
		proc.Exit(listen(o, fds, env))
	}
	proc.Exit(become(o))
}

// become finds out about the connection and executes the program.
func become(o options) exit.Code {
	conn := proc.FD(0, "connection")
	if o.peer.Header == nil {
		h, err := proxy.Of(control.Default(), conn)
		if err != nil {
			log := peerlog.Of(proc.Log(conn, conn), "tcp-env", os.Environ(), os.Getpid())
			log.Say("refused a connection", "because", err.Error())
			return exit.Temp
		}
		o.peer.Header = h
	}
	c, err := client.Of(conn, o.peer, dns.SystemConf)
	if err != nil {
		return exit.Temp
	}
	env := c.Replace(os.Environ())
	path, err := proc.Look(o.program[0], env)
	if err == nil {
		err = proc.Exec(path, o.program, env)
	}
	log := peerlog.Of(proc.Log(conn, conn), "tcp-env", env, os.Getpid())
	log.Say("unable to run, "+sys.Reason(err)+":", "program", o.program[0])
	return exit.Temp
}
