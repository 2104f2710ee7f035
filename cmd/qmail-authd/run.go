package main

import (
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/auth/check"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
)

// run starts the one that answers, and runs programs for it until it is gone.
func run(l *sys.Listener, kinds string, as priv.ID, programs map[check.Kind]check.Program) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		die("unable to open " + os.DevNull + ": " + sys.Reason(err))
	}
	here, there, err := sys.PacketPair()
	if err != nil {
		die("unable to make a socket: " + sys.Reason(err))
	}
	self, err := os.Executable()
	if err != nil {
		die("unable to find myself: " + sys.Reason(err))
	}
	log := proc.FD(2, "log")
	child, err := priv.Start(priv.Child{
		Path: self, Args: []string{answering + " " + kinds}, Env: os.Environ(), Dir: "/", As: &as,
		Files: []*os.File{null, null, log, l.File(), there},
	})
	if err != nil {
		die("unable to start myself as " + conf.UserNames().Passwd + ": " + sys.Reason(err))
	}
	there.Close()
	for kind, p := range programs {
		p.Env, p.Log, p.Null = os.Environ(), log, null
		programs[kind] = p
	}
	r := check.Runner{Programs: programs, Now: time.Now}
	err = r.Serve(here)
	child.Kill()
	die("the one that answers is gone: " + err.Error())
}
