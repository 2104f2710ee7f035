// Qsmhook, in a .qmail file, runs a mailer program as sendmail would, by the F= flags of its definition; see
// qsmhook(1).
//
//	uid   the recipient's     exec  the mailer, with the message in a pipe
//	fd 0  the message         fd 2  what went wrong
//	args  [ -DFlMnPs ] [ -x text ] program [ arg ... ]
//	env   UFLINE, RPLINE, DTLINE, HOST, SENDER, RECIPIENT
//	exit  the mailer's; 100 usage, no such command; 111 try again later
package main

import (
	"errors"
	"os"

	"qmail/internal/local/command"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const fatal = "qsmhook: fatal: "

func main() {
	proc.Begin()
	proc.Help("qsmhook: usage: qsmhook [ -DFlMnPs ] [ -x text ] program [ arg ... ]")
	for _, name := range [...]string{"UFLINE", "RPLINE", "DTLINE", "HOST", "SENDER", "RECIPIENT"} {
		if _, ok := os.LookupEnv(name); !ok {
			proc.Die(exit.Perm, fatal+"incorrect usage")
		}
	}
	o, args, mistake := options(os.Args[1:])
	if mistake != "" {
		proc.Die(exit.Perm, mistake)
	}
	if len(args) == 0 {
		proc.Die(exit.Perm, fatal+"incorrect usage")
	}
	head := ""
	if o.from {
		head += os.Getenv("UFLINE")
	}
	if o.returnPath {
		head += os.Getenv("RPLINE")
	}
	if o.trace {
		head += os.Getenv("DTLINE")
	}
	code, err := command.Feed(args, os.Environ(), head, os.Stdin, os.Stdout, os.Stderr)
	var feed *command.FeedError
	switch {
	case err == nil:
		proc.Exit(code)
	case !errors.As(err, &feed) && command.Permanent(err):
		proc.Die(exit.Perm, fatal+"command not found")
	}
	proc.Die(exit.Temp, fatal+"temporary problem")
}

// flags are the flags of a mailer that mean something here; what D, F, M, s and x ask for is always so, or never.
type flags struct {
	from       bool // the From line of an mbox, unless n
	returnPath bool // P
	trace      bool // l: Delivered-To
}

func options(args []string) (o flags, rest []string, mistake string) {
	o.from = true
	g := getopt.New("qsmhook", args, "DFlMnPsx:")
	for g.Next() {
		switch g.Letter {
		case 'n':
			o.from = false
		case 'P':
			o.returnPath = true
		case 'l':
			o.trace = true
		}
	}
	return o, g.Rest(), g.Mistake
}
