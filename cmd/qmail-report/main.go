// Qmail-report sends the reports of the days that are over, and reads those of others; see qmail-report(8).
//
//	uid   qmailr, for dmarc and tls; anybody, for read
//	args  dmarc [-n] | tls [-n] | read [file ...]
//	fd 0  read without a file: a message with a report
//	fd 1  read: what it says; -n: the letters
//	exec  qmail-queue, for each letter
//	exit  0; 100 for a wrong usage, or what is no report; 111 when something is left for another time
package main

import (
	"os"

	"qmail/internal/mailauth/reporting"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const usage = "qmail-report: usage: qmail-report dmarc [-n] | tls [-n] | read [file ...]"

func main() {
	proc.BeginAlone()
	proc.Help(usage)
	if len(os.Args) < 2 {
		proc.Die(exit.Perm, usage)
	}
	kind, o, show := os.Args[1], getopt.New("qmail-report", os.Args[2:], "n"), false
	for o.Next() {
		show = o.Letter == 'n'
	}
	reads := kind == "read"
	if o.Mistake != "" || !reads && kind != "dmarc" && kind != "tls" || reads && show || !reads && len(o.Rest()) > 0 {
		proc.Die(exit.Perm, usage)
	}
	if reads {
		proc.Exit(read(o.Rest()))
	}
	s, err := newSending(show)
	if err == nil {
		err = s.run(kind)
	}
	if err != nil {
		proc.Die(exit.Temp, "qmail-report: fatal: "+err.Error())
	}
	proc.Exit(exit.OK)
}

// read prints what reports say.
func read(files []string) exit.Code {
	if len(files) == 0 {
		return readFrom(os.Stdin)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			proc.Die(exit.Temp, "qmail-report: fatal: "+err.Error())
		}
		code := readFrom(f)
		f.Close()
		if code != exit.OK {
			return code
		}
	}
	return exit.OK
}

func readFrom(f *os.File) exit.Code {
	text, err := reporting.Read(f)
	if err != nil {
		proc.Die(exit.Perm, "qmail-report: fatal: "+f.Name()+": "+err.Error())
	}
	if _, err := os.Stdout.WriteString(text); err != nil {
		return exit.Temp
	}
	return exit.OK
}
