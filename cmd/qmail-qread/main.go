// Qmail-qread lists the messages in the queue and their recipients.
//
//	uid   qmails, who may read the queue; root becomes qmails
//	fd 1  the list
//	args  [-j] [-i id] [-s sender] [-r recipient]; -j for a JSON object a line; the others, which may be repeated, select
//	      messages. In an address * stands for anything.
//	exec  nothing
//	exit  0; 100 usage; 111 if the queue cannot be read, with the reason on fd 1
package main

import (
	"os"

	"qmail/internal/send/listing"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Exit(listing.Run(os.Args[1:], proc.FD(1, "list"), os.Stderr))
}
