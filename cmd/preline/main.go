// Preline, in a .qmail file, runs a command on the message with the lines in front that other systems put there;
// see preline(1).
//
//	uid   the recipient's     exec  the command, with the message in a pipe
//	fd 0  the message         fd 2  what went wrong
//	args  [ -frdFRD ] program [ arg ... ]: leave out (small) or put in (capital) From, Return-Path, Delivered-To
//	env   UFLINE, RPLINE, DTLINE
//	exit  the command's; 100 usage, no such command; 111 try again later
package main

import (
	"errors"
	"os"

	"qmail/internal/local/command"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

const (
	usage = "preline: usage: preline cmd [ arg ... ]"
	fatal = "preline: fatal: "
)

func main() {
	proc.Begin()
	lines := [3]string{}
	for i, name := range [3]string{"UFLINE", "RPLINE", "DTLINE"} {
		line, ok := os.LookupEnv(name)
		if !ok {
			proc.Die(exit.Perm, usage)
		}
		lines[i] = line
	}
	args, put, ok := options(os.Args[1:])
	if !ok || len(args) == 0 {
		proc.Die(exit.Perm, usage)
	}
	head := ""
	for i, line := range lines {
		if put[i] {
			head += line
		}
	}
	code, err := command.Feed(args, os.Environ(), head,
		os.Stdin, os.Stdout, os.Stderr)
	if err == nil {
		proc.Exit(code)
	}
	var feed *command.FeedError
	if errors.As(err, &feed) || errors.Is(err, command.ErrCrashed) {
		proc.Die(exit.Temp, fatal+err.Error())
	}
	code = exit.Temp
	if command.Permanent(err) {
		code = exit.Perm
	}
	proc.Die(code, fatal+"unable to run "+args[0]+": "+sys.Reason(err))
}

// options returns what is left of args, and which of the three lines to put in front.
func options(args []string) (rest []string, put [3]bool, ok bool) {
	put = [3]bool{true, true, true}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			switch word[i] {
			case 'f', 'F':
				put[0] = word[i] == 'F'
			case 'r', 'R':
				put[1] = word[i] == 'R'
			case 'd', 'D':
				put[2] = word[i] == 'D'
			default:
				os.Stderr.WriteString("preline: illegal option -- " + word[i:i+1] + "\n")
				return nil, put, false
			}
		}
	}
	return args, put, true
}
