// Dnsptr prints the name of an address.
//
//	fd 1  the name
//	fd 2  "hard error" or "soft error"
//	exit  0; 100 if the DNS has nothing to say, or the usage is wrong; 111 if it could not be asked
package main

import (
	"net/netip"
	"os"

	"qmail/internal/net/dns"
	"qmail/internal/net/dns/tool"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Help("dnsptr: usage: dnsptr address")
	proc.Exit(tool.Run(os.Args, proc.FD(1, "output"), proc.FD(2, "errors"), tool.Confined(name)))
}

func name(r *dns.Resolver, addr string) (string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return "", dns.ErrNotFound
	}
	names, err := r.PTR(ip)
	if err != nil {
		return "", err
	}
	return names[0] + "\n", nil
}
