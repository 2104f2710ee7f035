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
	"qmail/internal/text/getopt"
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
	code, err := command.Feed(args, os.Environ(), head, os.Stdin, os.Stdout, os.Stderr)
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
	g := getopt.New("preline", args, "fFrRdD")
	for g.Next() {
		switch c := g.Letter; c {
		case 'f', 'F':
			put[0] = c == 'F'
		case 'r', 'R':
			put[1] = c == 'R'
		case 'd', 'D':
			put[2] = c == 'D'
		}
	}
	if g.Mistake != "" {
		os.Stderr.WriteString(g.Mistake + "\n")
	}
	return g.Rest(), put, g.Mistake == ""
}
