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
)

const fatal = "qsmhook: fatal: "

func main() {
	proc.Begin()
	for _, name := range [...]string{"UFLINE", "RPLINE", "DTLINE", "HOST", "SENDER", "RECIPIENT"} {
		if _, ok := os.LookupEnv(name); !ok {
			proc.Die(exit.Perm, fatal+"incorrect usage")
		}
	}
	o, args, wrong := options(os.Args[1:])
	if wrong != "" {
		proc.Die(exit.Perm, wrong)
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
	code, err := command.Feed(args, os.Environ(), head,
		os.Stdin, os.Stdout, os.Stderr)
	var feed *command.FeedError
	switch {
	case err == nil:
		proc.Exit(code)
	case !errors.As(err, &feed) && command.Permanent(err):
		proc.Die(exit.Perm, fatal+"command not found")
	}
	proc.Die(exit.Temp, fatal+"temporary problem")
}

// flags are the flags of a mailer that mean something here.
type flags struct {
	from       bool // the From line of an mbox, unless n
	returnPath bool // P
	trace      bool // l: Delivered-To
}

func options(args []string) (o flags, rest []string, wrong string) {
	o.from = true
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
	letters:
		for i := 1; i < len(word); i++ {
			switch word[i] {
			case 'n':
				o.from = false
			case 'P':
				o.returnPath = true
			case 'l':
				o.trace = true
			case 'D', 'F', 'M', 's': // always so here, or never
			case 'x': // its text is the rest of the word or the next one
				if i+1 == len(word) {
					if len(args) == 0 {
						return o, nil, "qsmhook: option requires an argument -- x"
					}
					args = args[1:]
				}
				break letters
			default:
				return o, nil, "qsmhook: illegal option -- " + word[i:i+1]
			}
		}
	}
	return o, args, ""
}
