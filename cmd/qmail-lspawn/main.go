// Qmail-lspawn delivers messages to local recipients for qmail-send.
//
//	usage  qmail-lspawn aliasempty
//	uid    root: it becomes the recipient for qmail-local, and qmailp for qmail-getpw
//	fd 0   orders    fd 1  replies    fd 2  log, of qmail-getpw
//	exec   qmail-getpw, qmail-local
//	exit   0 when qmail-send closes fd 0; 100 without the argument; 111 if it cannot begin
package main

import (
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/spawn"
	"qmail/internal/spawn/lspawn"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker/pool"
)

func main() {
	proc.BeginTurns()
	proc.Help("qmail-lspawn: usage: qmail-lspawn defaultdelivery, started by qmail-start")
	sys.InheritOnly(3)
	if len(os.Args) < 2 {
		proc.Exit(exit.Perm)
	}
	ids, err := passwd.QmailIDs()
	if err != nil {
		proc.Die(exit.Temp, "qmail-lspawn: fatal: "+err.Error())
	}
	if err := proc.Chdir(conf.Home(), "queue", "mess"); err != nil {
		proc.Die(exit.Temp, "qmail-lspawn: fatal: "+err.Error())
	}
	limit, err := control.Default().Int("timeoutlocal")
	if err != nil {
		proc.Die(exit.Temp, "qmail-lspawn: fatal: unable to read control/timeoutlocal: "+err.Error())
	}
	workers := pool.New(2 * conf.Spawn()) // a delivery may need two programs, one after the other
	deliverer := lspawn.Deliverer{
		Runner: spawn.Runner{Bin: filepath.Join(conf.Home(), "bin"), Env: os.Environ(), Pool: workers, Expendable: true},
		IDs:    ids, Home: conf.Home(), Default: os.Args[1], Log: os.Stderr,
		Limit: time.Duration(limit) * time.Second,
	}
	spawner := spawn.Spawner{Limit: conf.Spawn(), Owner: ids.Queue, Start: deliverer.Start}
	spawner.Run(proc.Pipe(0, "orders"), os.Stdout)
	workers.Close()
	proc.Exit(exit.OK)
}
