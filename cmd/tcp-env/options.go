package main

import (
	"qmail/internal/net/client"
	"qmail/internal/net/listener"
	"qmail/internal/net/proxy"
	"qmail/internal/site/control"
	"qmail/internal/text/getopt"
)

// options are what the command line says.
type options struct {
	peer       client.Options
	limit      int      // -c: connections at a time
	perAddress int      // -a: of them from one address
	verbose    bool     // -v: each has a line in the log
	program    []string // with its arguments
}

// parse reads the command line.
func parse(args []string) (o options, ok bool) {
	o = options{peer: client.Default(), limit: listener.DefaultLimit}
	g := getopt.New("tcp-env", args, "rRvt:c:a:p:")
	for g.Next() {
		switch c := g.Letter; c {
		case 'r', 'R':
			o.peer.Ident = c == 'r'
		case 'v':
			o.verbose = true
		default:
			if !o.set(c, g.Value) {
				return o, false
			}
		}
	}
	if o.perAddress == 0 {
		o.perAddress = listener.DefaultPerAddress(o.limit)
	}
	o.program = g.Rest()
	return o, g.Mistake == "" && len(o.program) > 0
}

// set sets what an option with a value means.
func (o *options) set(letter byte, value string) bool {
	if letter == 'p' {
		h, ok := proxy.ParseHeader(value)
		o.peer.Header = &h
		return ok
	}
	n, ok := control.ParseInt(value)
	if !ok {
		return false
	}
	switch letter {
	case 't':
		o.peer.SetTimeout(n)
		return true
	case 'c':
		o.limit = min(n, listener.MaxLimit)
	case 'a':
		o.perAddress = min(n, listener.MaxLimit)
	}
	return n > 0
}
