// Hostname prints the name of this machine, as the system has it.
//
//	exit  0; 111 when the system does not say
package main

import (
	"os"

	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("hostname: usage: hostname")
	name, err := os.Hostname()
	if err != nil {
		proc.Die(exit.Temp, "hostname: fatal: "+err.Error())
	}
	os.Stdout.WriteString(name + "\n")
	proc.Exit(exit.OK)
}
