package proc

import (
	"os"

	"qmail/internal/text/exit"
)

// Help ends a program that somebody has called with --help and nothing else: usage, the line that tells how it is
// called, goes to descriptor 2. Not even a program without arguments, or one that takes anything for an argument, does
// its work then.
func Help(usage string) {
	if len(os.Args) == 2 && os.Args[1] == "--help" {
		Die(exit.Perm, usage)
	}
}
