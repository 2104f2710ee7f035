package main

import (
	"os"
	"os/signal"
	"syscall"

	"qmail/internal/sys/priv"
	"qmail/internal/text/exit"
)

// first is process 1 of a container. All that have lost their parents are its children then, and stay in the table of
// processes until it has asked for them; so it does nothing else, and has another qmail-start start qmail. What ends
// the container, or means qmail-send, is passed on. It returns the exit code of qmail-send.
func first() (exit.Code, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGALRM, syscall.SIGHUP)
	p, err := priv.Start(priv.Child{Path: program("qmail-start"), Args: os.Args, Env: os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return exit.Temp, err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGINT { // by which a terminal ends what runs in it
				s = syscall.SIGTERM
			}
			syscall.Kill(p.Pid, s.(syscall.Signal))
		}
	}()
	for {
		pid, status, err := priv.WaitAny()
		if err != nil {
			return exit.Temp, err
		}
		if pid != p.Pid {
			continue
		}
		if status.Exited() {
			return exit.Code(status.ExitStatus()), nil
		}
		return exit.Temp, nil
	}
}
