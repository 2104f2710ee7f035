// Sendmail is what mail programs expect at /usr/lib/sendmail; see sendmail(1). It completes and queues the message
// itself, with the code of qmail-inject. Where HOME/bin/qmail-inject has been replaced, it runs that.
//
//	sendmail [-t] [-fsender] [-Fname] [-bp] [-bs] [arg ...]
//
//	uid   any user     exec  qmail-queue, or $QMAILQUEUE; qmail-smtpd for -bs; qmail-qread for -bp
//	fd 0  the message  fd 2  why it was not queued
//	exit  0 queued; 100 never try again; 111 try again later; else that of what was run
package main

import (
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/submit/inject"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.BeginThin()
	proc.Help(usage)
	name := ""
	if len(os.Args) > 0 {
		name = filepath.Base(os.Args[0])
	}
	switch name {
	case "newaliases":
		die(exit.Perm, "sendmail: fatal: please use fastforward/newaliases instead")
	case "mailq":
		list(os.Environ())
	}
	var rest []string
	if len(os.Args) > 0 {
		rest = os.Args[1:]
	}
	o, mistake := parse(rest)
	if mistake != "" {
		die(exit.Perm, mistake)
	}
	env := o.environ(os.Environ())
	switch {
	case o.list:
		list(env)
	case o.server:
		run("qmail-smtpd", nil, serverEnv(env))
	case o.nothing():
		proc.Exit(exit.OK)
	case !ours(filepath.Join(conf.Home(), "bin/qmail-inject")):
		run("qmail-inject", o.classic(), env)
	}
	if proc.WasClosed(os.Stdin) {
		die(exit.Temp, "qmail-inject: fatal: read error")
	}
	proc.Exit(inject.Run(inject.World{
		Home: conf.Home(), Control: control.Default(), Env: env,
		Input: os.Stdin, Output: os.Stdout, Trouble: proc.Stderr{}, Queue: submit.New(env, os.Stderr),
		Now: time.Now(), Pid: os.Getpid(),
	}, o.inject()))
}

func die(c exit.Code, text string) {
	proc.Begin()
	proc.Die(c, text)
}

// list runs qmail-qread, which says in its own way that its caller may not see the queue. A user of mailq is told what
// to do.
func list(env []string) {
	if _, err := os.Stat(filepath.Join(conf.Home(), "queue/info")); os.IsPermission(err) {
		proc.Stderr{}.Write([]byte("mailq: only root and " + conf.UserNames().Send + " may see the queue: run it by sudo\n"))
	}
	run("qmail-qread", nil, env)
}

// run becomes a program of HOME/bin.
func run(name string, args, env []string) {
	if proc.Chdir(conf.Home()) != nil {
		die(exit.Temp, "sendmail: fatal: unable to switch to qmail home directory")
	}
	proc.Exec("bin/"+name, append([]string{"bin/" + name}, args...), env)
	die(exit.Temp, "sendmail: fatal: unable to run "+name)
}
