// Queue-fix checks a queue that qmail-send does not work on, and repairs it.
//
//	usage  queue-fix [-n | -f] [queue]
//	uid    root
//	fd 1   one line for each fault, and at the end how many there were
//	fd 2   why it could not go on
//	exit   0 when all is well, or well again; 1 when -n found faults; 100 for a wrong usage; 111 when it could not go on:
//	       qmail-send is running, an account is missing, the disk refused something
package main

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/queue/queuefix"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const found exit.Code = 1

func main() {
	proc.Begin()
	mend := false
	options := getopt.New("queue-fix", os.Args[1:], "nf")
	for options.Next() {
		mend = options.Letter == 'f'
	}
	args := options.Rest()
	if options.Mistake != "" || len(args) > 1 {
		usage()
	}
	site := queuefix.Site{Dir: conf.Home() + "/queue", Now: time.Now()}
	if len(args) == 1 {
		site.Dir = args[0]
	}
	a, err := passwd.AccountsIn("")
	if err != nil {
		die(err.Error())
	}
	if missing := append(a.MissingUsers, a.MissingGroups...); len(missing) > 0 {
		die("account " + missing[0] + " does not exist")
	}
	site.UIDs, site.GIDs = a.UIDs, a.GIDs
	out := proc.FD(1, "report")
	n, err := queuefix.Run(site, mend, out)
	if err != nil {
		where := site.Dir
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			where = e.Path
		}
		if u, ok := errors.AsType[*sys.UnsafeError](err); ok {
			die(u.Error())
		}
		die(where + ": " + sys.Reason(err))
	}
	proc.Exit(conclude(out, n, mend))
}

// conclude says how it ended.
func conclude(out *os.File, n int, mend bool) exit.Code {
	text, code := "no fault", exit.OK
	switch {
	case n > 0 && mend:
		text = strconv.Itoa(n) + " faults, all repaired"
	case n > 0:
		text, code = strconv.Itoa(n)+" faults; nothing is changed, -f repairs them", found
	}
	out.WriteString("queue-fix: " + text + "\n")
	return code
}

func usage() { proc.Die(exit.Perm, "queue-fix: usage: queue-fix [-n | -f] [queue]") }

func die(text string) { proc.Die(exit.Temp, "queue-fix: fatal: "+queuefix.Printable(text)) }
