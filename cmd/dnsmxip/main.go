// Dnsmxip prints the addresses of the hosts that take a domain's mail, and their preferences, best first.
//
//	fd 1  one address and preference a line
//	fd 2  "hard error" or "soft error"
//	exit  0; 100 if the DNS has nothing to say, or the usage is wrong; 111 if it could not be asked
package main

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strconv"

	"qmail/internal/net/dns"
	"qmail/internal/net/dns/tool"
	"qmail/internal/sys/proc"
)

func main() {
	proc.Begin()
	proc.Help("dnsmxip: usage: dnsmxip host")
	proc.Exit(tool.Run(os.Args, proc.FD(1, "output"), proc.FD(2, "errors"), tool.Confined(exchangers)))
}

func exchangers(r *dns.Resolver, domain string) (string, error) {
	mxs, err := r.MX(domain)
	if errors.Is(err, dns.ErrNotFound) {
		mxs, err = []dns.MX{{Host: domain}}, nil
	}
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(mxs, func(a, b dns.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	text, worst := "", dns.ErrNotFound
	for _, mx := range mxs {
		ips, err := r.Addrs(mx.Host)
		if err != nil && !errors.Is(err, dns.ErrNotFound) {
			worst = err
		}
		for _, ip := range ips {
			text += ip.String() + " " + strconv.Itoa(int(mx.Pref)) + "\n"
		}
	}
	if text == "" {
		return "", worst
	}
	return text, nil
}
