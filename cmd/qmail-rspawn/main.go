// Qmail-rspawn delivers messages to remote recipients for qmail-send.
//
//	uid   qmailr          exec  qmail-remote or qmail-tlsremote, qmail-dksign, qmail-key
//	fd 0  orders    fd 1  replies    fd 2  log, of a start that fails
//	exit  0 when qmail-send closes fd 0; 111 if it cannot begin
//
// When it starts it forgets which hosts have timed out.
package main

import (
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/spawn"
	"qmail/internal/spawn/rspawn"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker/pool"
)

func main() {
	proc.BeginTurns()
	proc.Help("qmail-rspawn: usage: qmail-rspawn, started by qmail-start")
	sys.InheritOnly(3)
	ids, err := passwd.QmailIDs()
	if err != nil {
		proc.Die(exit.Temp, "qmail-rspawn: fatal: "+err.Error())
	}
	if err := proc.Chdir(conf.Home(), "queue", "mess"); err != nil {
		proc.Die(exit.Temp, "qmail-rspawn: fatal: "+err.Error())
	}
	limit, err := control.Default().Int("remotecombine")
	if err != nil {
		proc.Die(exit.Temp, "qmail-rspawn: fatal: "+err.Error())
	}
	// a table that cannot be written is no reason to stop mail
	tcpto.Table(filepath.Join(conf.Home(), "queue", "lock")).Clear()
	workers := pool.New(conf.Spawn())
	deliverer := rspawn.New(spawn.Runner{Bin: filepath.Join(conf.Home(), "bin"), Env: os.Environ(), Pool: workers},
		control.Default())
	spawner := spawn.Spawner{
		Limit: conf.Spawn(), Owner: ids.Queue, Start: deliverer.Start, Combine: max(1, limit),
		Hurry: deliverer.Hurry,
	}
	spawner.Run(proc.Pipe(0, "orders"), os.Stdout)
	workers.Close()
	proc.Exit(exit.OK)
}
