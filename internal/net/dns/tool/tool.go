// Package tool is what the programs have in common that put one question to the DNS.
package tool

import (
	"errors"
	"io"

	"qmail/internal/net/dns"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
)

// A Lookup answers a question about the program's one argument with a text to print, whole lines.
type Lookup func(r *dns.Resolver, arg string) (string, error)

// Confined is a lookup for which the process first gives up all but the network.
func Confined(lookup Lookup) Lookup {
	return func(r *dns.Resolver, arg string) (string, error) {
		sandbox.Enter(sandbox.Rights{Network: true}) // where it fails, the question is asked all the same
		return lookup(r, arg)
	}
}

// Run is such a program. Args begin with its name. It returns Perm where the DNS has nothing to say, and Temp
// where it could not be asked.
func Run(args []string, out, errs io.Writer, lookup Lookup) exit.Code {
	if len(args) != 2 {
		io.WriteString(errs, "usage: "+args[0]+" name\n")
		return exit.Perm
	}
	text, err := lookup(dns.Open(dns.SystemConf), args[1])
	switch {
	case errors.Is(err, dns.ErrNotFound):
		io.WriteString(errs, "hard error\n")
		return exit.Perm
	case err != nil:
		io.WriteString(errs, "soft error\n")
		return exit.Temp
	}
	if _, err := io.WriteString(out, text); err != nil {
		return exit.Temp
	}
	return exit.OK
}
