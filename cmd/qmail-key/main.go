// Qmail-key has the private keys, and signs by them what has the form of a proof or of a signed mail.
//
//	uid   qmailk by its setuid bit; the real uid is qmaild's, qmailr's or root's, and gone after the start
//	fd 3  a packet socket: requests, each answered by one packet (internal/tls/keyproto), and new clients, each
//	      with a socket of its own
//	exec  nothing
//	exit  0 when the last socket is closed; 100 where there is no socket, or the caller is another; 111 where it
//	      is not installed as it must be
//
// For qmaild it is the server of a TLS session, for qmailr a client, and it signs mail; for root it does all.
// Arguments and environment are not looked at.
package main

import (
	"os/signal"
	"path/filepath"
	"syscall"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keyring"
)

const socket = 3

func main() {
	proc.BeginAlone()
	proc.Help("qmail-key: usage: qmail-key, started by the programs that need a signature")
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGXCPU,
		syscall.SIGXFSZ)
	if !sys.IsPacketSocket(socket) {
		proc.Exit(exit.Perm)
	}
	caller, err := priv.Settle()
	if err != nil || sys.NotDumpable() != nil {
		proc.Exit(exit.Temp)
	}
	kinds := kindsFor(caller)
	if kinds == "" {
		proc.Exit(exit.Perm)
	}
	home := conf.Home()
	if sandbox.Enter(sandbox.Rights{Read: readable(home)}) != nil {
		proc.Exit(exit.Temp)
	}
	syscall.CloseOnExec(socket)
	conn, err := sys.Polled(proc.FD(socket, "parent"))
	if err != nil {
		proc.Exit(exit.Temp)
	}
	s := server{ring: keyring.New(home), kinds: kinds}
	s.serve(conn, true)
	s.clients.Wait()
	proc.Exit(exit.OK)
}

// kindsFor returns what a caller may use keys for.
func kindsFor(caller int) string {
	const server, others = string(keyproto.Server), string(keyproto.Client) + string(keyproto.DKIM)
	if caller == 0 {
		return server + others
	}
	users := conf.UserNames()
	switch name, _ := passwd.Which(caller, users.Daemon, users.Remote); name {
	case users.Daemon:
		return server
	case users.Remote:
		return others
	}
	return ""
}

// readable are the folders that keys and chains are in: those of an older installation may be links.
func readable(home string) []string {
	dirs := []string{filepath.Join(home, "keys"), filepath.Join(home, "control")}
	for _, name := range [...]string{"servercert.pem", "clientcert.pem"} {
		if to, err := filepath.EvalSymlinks(filepath.Join(home, "control", name)); err == nil {
			dirs = append(dirs, filepath.Dir(to))
		}
	}
	return dirs
}
