// Bouncesaying, in a .qmail file, bounces a message with a text of its user's, if a command says so; see
// bouncesaying(1).
//
//	uid   the recipient's           exec  the command
//	fd 0  the message, rewound      fd 2  the text
//	args  text [ program [ arg ... ] ]
//	exit  100 bounced; 0 go on; 111 try again later
package main

import (
	"os"

	"qmail/internal/local/command"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("bouncesaying: usage: bouncesaying error [ program [ arg ... ] ]")
	if len(os.Args) < 2 {
		proc.Die(exit.Perm, "bouncesaying: usage: bouncesaying error [ program [ arg ... ] ]")
	}
	if len(os.Args) > 2 {
		code, err := command.Condition(os.Args[2:], os.Environ(),
			[3]*os.File{os.Stdin, os.Stdout, os.Stderr})
		if err != nil {
			proc.Die(exit.Temp, "bouncesaying: fatal: "+err.Error())
		}
		if code != exit.OK {
			proc.Exit(exit.OK)
		}
	}
	proc.Die(exit.Perm, os.Args[1])
}
