// Qmail-grey prints how many the greylist remembers, or has it forget them.
//
//	uid   qmaild; root becomes qmaild
//	fd 1  one line for each count
//	fd 2  what went wrong
//	exit  0, 100 for a wrong usage, or 111 if the file cannot be read or cleared
package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/smtp/grey"
	"qmail/internal/sys"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

const usage = "qmail-grey: usage: qmail-grey [ clear ]"

func main() {
	proc.Begin()
	proc.Help(usage)
	clears := len(os.Args) == 2 && os.Args[1] == "clear"
	if len(os.Args) > 1 && !clears {
		proc.Die(exit.Perm, usage)
	}
	if err := lower.ToDaemon(); err != nil {
		die("unable to become the owner of the file", err)
	}
	store := grey.Store(filepath.Join(conf.Home(), grey.Name))
	if clears {
		if err := store.Clear(); err != nil {
			die("unable to clear "+string(store), err)
		}
		proc.Exit(exit.OK)
	}
	c, err := store.Count(time.Now())
	if err != nil {
		die("unable to read "+string(store), err)
	}
	text := "waiting: " + strconv.Itoa(c.Waiting) + "\npassed: " + strconv.Itoa(c.Passed) +
		"\nnetworks: " + strconv.Itoa(c.Networks) + "\nknown networks: " + strconv.Itoa(c.Known) + "\n"
	if _, err := proc.FD(1, "output").WriteString(text); err != nil {
		die("unable to write", err)
	}
	proc.Exit(exit.OK)
}

func die(what string, err error) {
	proc.Die(exit.Temp, "qmail-grey: fatal: "+what+": "+sys.Reason(err))
}
