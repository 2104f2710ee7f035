// Srsfilter, in a .qmail file, sends a message to the address that an SRS address stands for; see srsfilter(1).
//
//	uid   the recipient's, who owns control/srs_secrets     exec  qmail-queue
//	fd 0  the message                                       fd 2  what happened
//	env   DEFAULT, SENDER, DTLINE
//	exit  0 queued; 100 never try again; 111 try again later
package main

import (
	"os"
	"strconv"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/srs"
	"qmail/internal/submit"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

const fatal = "srsfilter: fatal: "

func main() {
	proc.BeginAlone()
	proc.Help("srsfilter: usage: srsfilter, in a .qmail file")
	variable := func(name string) string { return proc.Variable(os.LookupEnv, name, fatal, exit.Temp) }
	address, err := reverse(variable("DEFAULT"))
	if err != nil {
		fail(err)
	}
	client := submit.New(os.Environ(), os.Stderr)
	qp, err := client.Copy(variable("DTLINE"), os.Stdin, variable("SENDER"), []string{address})
	if err != nil {
		fail(err)
	}
	proc.Die(exit.OK, "srsfilter: qp "+strconv.FormatUint(qp, 10))
}

// reverse returns what the local part of an address stands for.
func reverse(local string) (string, error) {
	scheme, err := srs.Read(control.Default())
	if err != nil {
		return "", err
	}
	address, err := scheme.Reverse(local, time.Now())
	switch err {
	case srs.ErrForm:
		return "", report.Fail("5.1.1", "Sorry, this is no SRS address.")
	case srs.ErrForged:
		return "", report.Fail("5.7.1", "Sorry, the hash in this SRS address is not one of ours.")
	case srs.ErrExpired:
		return "", report.Fail("5.1.1", "Sorry, this SRS address is too old.")
	}
	return address, err
}

func fail(err error) {
	r := report.Of(err)
	proc.Die(r.Exit(), fatal+r.Error())
}
