package main

import (
	"qmail/internal/net/client"
	"qmail/internal/net/listener"
	"qmail/internal/site/control"
)

// options are what the command line says.
type options struct {
	peer       client.Options
	limit      int      // -c: connections at a time
	perAddress int      // -a: of them from one address
	program    []string // with its arguments
}

// parse reads the command line as getopt does: options first, several letters may share a hyphen.
func parse(args []string) (o options, ok bool) {
	o = options{peer: client.Default(), limit: listener.DefaultLimit, perAddress: listener.DefaultPerAddress}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			switch letter := word[i]; letter {
			case 'r', 'R':
				o.peer.Ident = letter == 'r'
				continue
			case 't', 'c', 'a':
				value := word[i+1:]
				if value == "" {
					if len(args) == 0 {
						return o, false
					}
					value, args = args[0], args[1:]
				}
				if !o.set(letter, value) {
					return o, false
				}
			default:
				return o, false
			}
			break
		}
	}
	o.program = args
	return o, len(args) > 0
}

// set sets what an option with a value means.
func (o *options) set(letter byte, value string) bool {
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
