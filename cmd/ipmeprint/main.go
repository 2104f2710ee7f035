// Ipmeprint prints this machine's own addresses.
//
//	fd 1  one address a line
//	exit  0, or 111 if the system does not say
package main

import (
	"bufio"

	"qmail/internal/net/ipme"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("ipmeprint: usage: ipmeprint")
	list, err := ipme.List()
	if err != nil {
		proc.Die(exit.Temp, "ipmeprint: fatal: "+err.Error())
	}
	w := bufio.NewWriter(proc.FD(1, "output"))
	for _, ip := range list {
		w.WriteString(ip.String() + "\n")
	}
	if w.Flush() != nil {
		proc.Exit(exit.Temp)
	}
	proc.Exit(exit.OK)
}
