// Qmail-qread lists the messages in the queue and their recipients.
//
//	uid   root or qmails, who may read the queue
//	fd 1  the list
//	args  [-j] [-i id] [-s sender] [-r recipient]; -j for a JSON object a line; the others, which may be repeated, select
//	      messages. In an address * stands for anything.
//	exec  nothing
//	exit  0; 100 usage; 111 if the queue cannot be read, with the reason on fd 1
package main

import (
	"bufio"
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

func main() {
	proc.Begin()
	out := bufio.NewWriter(proc.FD(1, "list"))
	code := run(out)
	if out.Flush() != nil && code == exit.OK {
		code = exit.Temp
	}
	proc.Exit(code)
}

func run(out *bufio.Writer) exit.Code {
	var want selection
	show := plain
	g := getopt.New("qmail-qread", os.Args[1:], "ji:s:r:")
	for g.Next() {
		switch g.Letter {
		case 'j':
			show = object
		case 'i':
			want.ids = append(want.ids, g.Value)
		case 's':
			want.senders = append(want.senders, g.Value)
		case 'r':
			want.recipients = append(want.recipients, g.Value)
		}
	}
	if g.Mistake != "" || len(g.Rest()) > 0 {
		os.Stderr.WriteString("qmail-qread: usage: qmail-qread [-j] [-i number] [-s sender] [-r recipient]\n")
		return exit.Perm
	}
	if err := proc.Chdir(conf.Home(), "queue"); err != nil {
		out.WriteString("fatal: unable to chdir: " + sys.Reason(err) + "\n")
		return exit.Temp
	}
	// Without the control files a message that is only in todo is shown with its recipients as they were given.
	table, _ := route.Read(control.Default())
	l := lister{q: queue.Open(".", nil), table: table, now: time.Now()}
	err := l.each(func(m *message) {
		if want.has(m) {
			show(out, m)
		}
	})
	if err != nil {
		out.WriteString("fatal: unable to read queue: " + sys.Reason(err) + "\n")
		return exit.Temp
	}
	return exit.OK
}
