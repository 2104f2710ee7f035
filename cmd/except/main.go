// Except, in a .qmail file, reverses what a command says by its exit code; see except(1).
//
//	uid   the recipient's           exec  the command
//	fd 0  the message, rewound      fd 2  what went wrong
//	args  program [ arg ... ]
//	exit  100 when the command succeeds; 0 when it fails; 111 when it asks to be tried again
package main

import (
	"os"

	"qmail/internal/local/command"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("except: usage: except program [ arg ... ]")
	if len(os.Args) < 2 {
		proc.Die(exit.Perm, "except: usage: except program [ arg ... ]")
	}
	code, err := command.Condition(os.Args[1:], os.Environ(),
		[3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		proc.Die(exit.Temp, "except: fatal: "+err.Error())
	}
	if code == exit.OK {
		proc.Exit(exit.Perm)
	}
	proc.Exit(exit.OK)
}
