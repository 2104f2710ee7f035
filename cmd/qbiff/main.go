// Qbiff, in a .qmail file, tells a user who is logged in that mail has come; see qbiff(1).
//
//	uid   the recipient's     exec  nothing
//	env   USER, LOCAL, SENDER
//	exit  0 always: nobody's mail waits for this
package main

import (
	"os"
	"strings"

	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qbiff: usage: qbiff")
	user, local, sender := os.Getenv("USER"), os.Getenv("LOCAL"), os.Getenv("SENDER")
	if user == "" {
		proc.Exit(exit.OK)
	}
	text := "\r\n*** TO <" + safe(local) + "> FROM <" + safe(sender) + ">\a\r\n"
	terminals(user, func(line string) { tell("/dev/"+line, text) })
	proc.Exit(exit.OK)
}

// tell writes to a terminal whose owner has asked for that by its execute bit, as biff(1) sets it. It never waits.
func tell(path, text string) {
	fi, err := os.Stat(path)
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 || fi.Mode().Perm()&0o100 == 0 || strings.Contains(path, "..") {
		return
	}
	f, err := sys.OpenNow(path, os.O_WRONLY)
	if err != nil {
		return
	}
	f.WriteString(text)
	f.Close()
}

// safe keeps what a sender chose from moving the cursor.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > 126 {
			b[i] = '_'
		}
	}
	return string(b)
}
