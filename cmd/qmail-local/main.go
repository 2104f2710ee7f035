// Qmail-local delivers one message to one recipient; see qmail-local(8).
//
//	uid   the recipient's, by qmail-lspawn     exec  /bin/sh for the recipient's commands; qmail-queue to forward
//	fd 0  the message, a regular file          fd 1  what was done     fd 2  what went wrong
//	args  [ -nN ] user homedir local dash ext domain sender aliasempty
//	exit  0 delivered; 100 never try again; 111 try again later
//
// As a worker (no arguments, a packet socket as descriptor 3) it gets the message for each job, answers with
// all its output, and ends after a job that ran a command.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"qmail/internal/local"
	"qmail/internal/local/maildir"
	"qmail/internal/submit"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func main() {
	proc.Begin()
	proc.Help("qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty")
	// Qmail-lspawn sends one to the whole process group when a delivery takes too long. It is for the recipient's program;
	// what is being written here is finished.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	sys.Umask(0o077)
	names := maildir.NewNames()
	env := os.Environ()
	if link, ok := worker.Offered("qmail-local"); ok {
		env = worker.ParentEnviron(env)
		proc.Exit(link.Serve(1, func(j worker.Job, out *worker.Output) worker.Answer {
			code, started := deliver(j.Args, env, j.Files[0], out, out, names)
			return worker.Answer{Code: code, Last: started}
		}))
	}
	code, _ := deliver(os.Args[1:], env, os.Stdin, local.Descriptor(os.Stdout), local.Descriptor(os.Stderr), names)
	proc.Exit(code)
}

func deliver(args, env []string, message *os.File, out, err local.Output, names *maildir.Names) (exit.Code, bool) {
	return local.Deliver(local.Job{
		Args: args, Env: env, Message: message, Out: out, Err: err, Now: time.Now, Names: names, Queue: submit.New,
	})
}
