// Qmail-tlsfront does TLS for a server that knows none; see qmail-tlsfront(8).
//
//	uid   as it was started, until the server's program is; then qmaild, before it reads anything, where that was root
//	fd 0  the client      fd 1  the client
//	usage qmail-tlsfront [ -n ] [ -t seconds ] program [ arg ... ]
//	exec  qmail-key, as qmaild; and the program, as it was started itself: by itself under another name, which waits for
//	      the handshake, or with -n at once
//	fd 0, 1 of the program: what is said in TLS; with -n the client
//	fd 3, 4, 5 of the program with -n: where it asks for TLS, what is said there, where it answers
//	fd 3  of the one that waits: what the TLS is
//	env   the program's; it sets SSL_PROTOCOL and SSL_CIPHER, or with -n UCSPITLS, SSLCTLFD, SSLREADFD, SSLWRITEFD
//	exit  the program's; 100 for a wrong usage; 111 where there was none, or it has crashed
package main

import (
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
	"qmail/internal/text/peerlog"
	"qmail/internal/tls/front"
)

const (
	// defaultIdle is how long nothing may move where -t does not say so; maxIdle is the most that it may say.
	defaultIdle = time.Hour
	maxIdle     = 7 * 24 * time.Hour
)

// options are what the command line says.
type options struct {
	asked   bool // -n: TLS begins when the program asks for it
	idle    time.Duration
	program []string // with its arguments
}

func parse(args []string) (o options, ok bool) {
	o.idle = defaultIdle
	g := getopt.New("qmail-tlsfront", args, "nt:")
	for g.Next() {
		if g.Letter == 'n' {
			o.asked = true
			continue
		}
		n, ok := control.ParseInt(g.Value)
		if !ok || n <= 0 {
			return o, false
		}
		o.idle = time.Duration(min(n, int(maxIdle/time.Second))) * time.Second
	}
	o.program = g.Rest()
	return o, g.Mistake == "" && len(o.program) > 0
}

func main() {
	proc.Begin()
	if sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	if os.Args[0] == waiter && len(os.Args) > 1 {
		wait(os.Args[1:])
	}
	o, ok := parse(os.Args[1:])
	if !ok {
		proc.Die(exit.Perm, "qmail-tlsfront: usage: qmail-tlsfront [ -n ] [ -t seconds ] program [ arg ... ]")
	}
	sys.InheritOnly(3)
	client := &front.Client{In: proc.FD(0, "client"), Out: proc.FD(1, "client")}
	s := session{options: o, client: client}
	to := proc.Log(client.In, client.Out)
	s.log = peerlog.Of(to, "qmail-tlsfront", os.Environ(), os.Getpid())
	err := s.start(to != nil)
	if err == nil {
		err = settle()
	}
	if err != nil {
		s.log.Say("unable to serve, "+sys.Reason(err)+":", "program", o.program[0])
		proc.Exit(exit.Temp)
	}
	proc.Exit(s.serve())
}

// settle gives up root, and with it the terminal from which root may have started it.
func settle() error {
	if os.Getuid() != 0 {
		return nil
	}
	daemon, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		return err
	}
	if err := sys.LeaveTerminal(); err != nil {
		return err
	}
	return priv.Become(priv.ID{UID: daemon.UID, GID: daemon.GID})
}
