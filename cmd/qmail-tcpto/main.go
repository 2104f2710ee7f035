// Qmail-tcpto prints the hosts whose connections timed out, and what others are spared.
//
//	uid   qmailr; root becomes qmailr
//	fd 1  one line for each host, or why there is none
//	exit  0, or 111 if the table cannot be read
package main

import (
	"bufio"
	"path/filepath"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-tcpto: usage: qmail-tcpto")
	w := bufio.NewWriter(proc.FD(1, "output"))
	if err := lower.ToRemote(); err != nil {
		die(w, "unable to become the owner of the table", err)
	}
	dir := filepath.Join(conf.Home(), "queue/lock")
	if err := proc.Chdir(dir); err != nil {
		die(w, "unable to chdir", err)
	}
	list, err := tcpto.Table(dir).List()
	if err != nil {
		die(w, "unable to read tcpto", err)
	}
	now := time.Now()
	for _, r := range list {
		w.WriteString(r.IP.String())
		w.WriteString(" timed out ")
		w.WriteString(strconv.FormatInt(now.Unix()-r.Time.Unix(), 10))
		w.WriteString(" seconds ago; # recent timeouts: ")
		w.WriteString(strconv.Itoa(r.Count))
		w.WriteByte('\n')
	}
	spared, err := tcpto.Table(dir).Spared(now)
	if err != nil {
		die(w, "unable to read quirks", err)
	}
	for _, h := range spared {
		w.WriteString(h.IP.String() + " is spared " + h.Quirk.String() + "; seen " +
			strconv.FormatInt(now.Unix()-h.Time.Unix(), 10) + " seconds ago\n")
	}
	if w.Flush() != nil {
		proc.Exit(exit.Temp)
	}
	proc.Exit(exit.OK)
}

func die(w *bufio.Writer, what string, err error) {
	w.WriteString("fatal: " + what + ": " + sys.Reason(err) + "\n")
	w.Flush()
	proc.Exit(exit.Temp)
}
