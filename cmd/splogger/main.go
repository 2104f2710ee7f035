// Splogger hands the lines that it reads to the system's logger; see splogger(8).
//
//	uid   qmaill     exec  nothing
//	fd 0  the log of qmail-send, a pipe
//	args  [ tag [ facility ] ]: what each line is marked with, and the number of syslog's facility
//	exit  0 when descriptor 0 is at its end
package main

import (
	"bufio"
	"os"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
)

const (
	mail        = 2 // the facility
	maxFacility = 23
)

func main() {
	proc.Begin()
	proc.Help("splogger: usage: splogger [ tag [ facility ] ]")
	l := &logger{
		tag: "splogger", facility: mail, now: time.Now, zone: zone(),
		to: &sys.Syslog{Paths: []string{"/dev/log", "/var/run/syslog", "/var/run/log"}},
	}
	if len(os.Args) > 1 {
		l.tag = os.Args[1]
	}
	if len(os.Args) > 2 {
		l.facility = facility(os.Args[2])
	}
	sandbox.Enter(sandbox.Rights{}) // where it fails, the lines are logged all the same
	l.run(bufio.NewReaderSize(os.Stdin, 4096))
	proc.Exit(exit.OK)
}

// facility reads the digits that s begins with: without any it is the kernel's, number 0. One that syslog does not have
// is mail's.
func facility(s string) int {
	n := 0
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if n = n*10 + int(s[i]-'0'); n > maxFacility {
			return mail
		}
	}
	return n
}

// zone returns the system's time zone, in which syslog writes its times. $TZ is not asked.
func zone() *time.Location {
	const biggest = 1 << 20
	if fi, err := os.Stat("/etc/localtime"); err == nil && fi.Mode().IsRegular() && fi.Size() < biggest {
		if b, err := os.ReadFile("/etc/localtime"); err == nil {
			if z, err := time.LoadLocationFromTZData("localtime", b); err == nil {
				return z
			}
		}
	}
	return time.UTC
}
