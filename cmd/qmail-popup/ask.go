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
	"qmail/internal/text/environ"
	"qmail/internal/text/peerlog"
)

// talker is the name, argument 0, under which this program only talks with the client.
const talker = "qmail-popup talking"

// askWithin is how long the one that talks may take; it must exceed what it gives a client.
const askWithin = time.Hour

// ask has a child without root's power read what a stranger says. Root reads one login from it and nothing else, and
// goes on when it is gone.
func ask(host string, c *cover, in, out, log *os.File) (l pop3.Login, ok bool) {
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
		Path: self, Args: []string{talker, host, c.word()},
		Env: talkersEnv(), Files: append([]*os.File{in, out, log, w}, c.files()...),
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
	if err != nil || len(b) == 0 || b[0] != plainly && (b[0] != covertly || c.files() == nil) {
		return "", false
	}
	c.begun = b[0] == covertly
	l = pop3.Login(b[1:])
	return l, l.Sound()
}

// talkersEnv is what the one that talks has to know to write lines about its client.
func talkersEnv() (env []string) {
	for _, name := range [...]string{peerlog.Variable, "TCPREMOTEIP"} {
		if v, set := environ.Get(os.Environ(), name); set {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// What is before a login says where the client is: where it was, or behind the TLS that it has asked for.
const (
	plainly  = '+'
	covertly = '*'
)

// talk talks with the client, and tells who it says it is.
func talk(host, word string, in, out *os.File) {
	login, c := proc.FD(3, "login"), coverFor(word)
	p := pop3.Popup{
		Host: host, Pid: os.Getpid(), Now: time.Now, TLS: c.tls(),
		Log: peerlog.Of(proc.Log(in, out), "qmail-popup", os.Environ(), os.Getpid()),
	}
	if l, ok := p.Ask(in, out); ok {
		head := byte(plainly)
		if c.begun {
			head = covertly
		}
		login.WriteString(string(head) + string(l))
	}
}
