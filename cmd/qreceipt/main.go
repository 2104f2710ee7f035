// Qreceipt, in a .qmail file, tells the sender of a message that it has arrived, if the message asks for that; see
// qreceipt(1).
//
//	uid   the recipient's     exec  qmail-queue
//	fd 0  the message         fd 2  what went wrong
//	args  deliveryaddress: notices for this address are answered
//	env   SENDER
//	exit  0 answered, or nothing to answer; 100 never try again; 111 try again later
package main

import (
	"os"

	"qmail/internal/submit"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

const fatal = "qreceipt: fatal: "

func main() {
	proc.BeginAlone()
	sender, ok := os.LookupEnv("SENDER")
	if len(os.Args) < 2 || !ok {
		proc.Die(exit.Perm, "qreceipt: usage: qreceipt deliveryaddress")
	}
	target := os.Args[1]
	asked, id := readHeader(os.Stdin, target)
	if !asked || sender == "" || sender == "#@[]" {
		proc.Exit(exit.OK)
	}
	answer(target, sender, id)
}

// answer queues the notice. As a bounce would, it has no sender itself; its From field is the one it goes to, since
// nobody else is to hear of it.
func answer(target, sender, id string) {
	m, err := submit.New(os.Environ(), os.Stderr).Open()
	if err != nil {
		proc.Die(exit.Temp, fatal+"unable to fork")
	}
	to := ascii.OneLine(rfc822.Quote(sender))
	m.WriteString("From: DELIVERY NOTICE SYSTEM <" + to + ">\n" +
		"To: <" + to + ">\n" +
		"Subject: success notice\n\n" +
		"Hi! This is the qreceipt program. Your message was delivered to the\n" +
		"following address: " + ascii.OneLine(target) + ". Thanks for asking.\n")
	if id != "" {
		m.WriteString("Your " + id)
	}
	m.From("")
	m.To(sender)
	if err := m.Commit(); err != nil {
		if report.Of(err).Kind == report.Failure {
			proc.Die(exit.Perm, fatal+"permanent qmail-queue error")
		}
		proc.Die(exit.Temp, fatal+"temporary qmail-queue error")
	}
	proc.Exit(exit.OK)
}
