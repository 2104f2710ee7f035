// Dnscname prints the name at the end of a host's CNAMEs.
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
	proc.Help("dnscname: usage: dnscname host")
	proc.Exit(tool.Run(os.Args, proc.FD(1, "output"), proc.FD(2, "errors"), tool.Confined(canonical)))
}

func canonical(r *dns.Resolver, host string) (string, error) {
	name, err := r.Canonical(host)
	return name + "\n", err
}
