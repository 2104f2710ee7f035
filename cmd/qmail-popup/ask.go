package main

import (
	"io"
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/pop3"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
)

// talker is the name, argument 0, under which this program only talks with the client.
const talker = "qmail-popup talking"

// askWithin is how long the one that talks may take; it must exceed what it gives a client.
const askWithin = time.Hour

// ask has a child without root's power read what a stranger says. Root reads one login from it and nothing else, and
// goes on when it is gone.
func ask(host string, in, out, log *os.File) (l pop3.Login, ok bool) {
	self, err := os.Executable()
	if err != nil {
		return "", false
	}
	daemon, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		return "", false
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", false
	}
	defer r.Close()
	child, err := priv.Start(priv.Child{
		Path: self, Args: []string{talker, host}, Files: []*os.File{in, out, log, w},
		As: &priv.ID{UID: daemon.UID, GID: daemon.GID},
	})
	w.Close()
	if err != nil {
		return "", false
	}
	r.SetReadDeadline(time.Now().Add(askWithin))
	b, err := io.ReadAll(io.LimitReader(r, pop3.MaxLogin+2))
	child.Kill() // it has nothing more to do
	child.Wait()
	if err != nil || len(b) == 0 || b[0] != '+' {
		return "", false
	}
	l = pop3.Login(b[1:])
	return l, l.Sound()
}

// talk talks with the client, and tells who it says it is: a plus sign, and the login.
func talk(host string, in, out *os.File) {
	login := proc.FD(3, "login")
	p := pop3.Popup{Host: host, Pid: os.Getpid(), Now: time.Now}
	if l, ok := p.Ask(in, out); ok {
		login.WriteString("+" + string(l))
	}
}
