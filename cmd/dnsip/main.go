// Dnsip prints the addresses of a host.
//
//	fd 1  one address a line
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
	proc.Help("dnsip: usage: dnsip host")
	proc.Exit(tool.Run(os.Args, proc.FD(1, "output"), proc.FD(2, "errors"), tool.Confined(addresses)))
}

func addresses(r *dns.Resolver, host string) (string, error) {
	if ip, ok := dns.Literal(host); ok {
		return ip.String() + "\n", nil
	}
	ips, err := r.Addrs(host)
	text := ""
	for _, ip := range ips {
		text += ip.String() + "\n"
	}
	return text, err
}
