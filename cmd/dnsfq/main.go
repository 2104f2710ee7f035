// Dnsfq prints the canonical name of a host; its domain may be left out.
//
//	fd 1  the name
//	fd 2  "hard error" or "soft error"
//	exit  0; 100 if the DNS has nothing to say, or the usage is wrong; 111 if it could not be asked
package main

import (
	"os"

	"qmail/internal/net/dns"
	"qmail/internal/net/dns/tool"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Help("dnsfq: usage: dnsfq host")
	proc.Exit(tool.Run(os.Args, proc.FD(1, "output"), proc.FD(2, "errors"), tool.Confined(search)))
}

func search(r *dns.Resolver, host string) (string, error) {
	name, err := r.Search(host)
	return name + "\n", err
}
