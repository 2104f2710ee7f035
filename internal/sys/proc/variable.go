package proc

import "qmail/internal/text/exit"

// Variable returns a variable that this program cannot do without; lookup is that of its environment. Where it is not
// set the program ends with code; fatal is what its lines begin with.
func Variable(lookup func(string) (string, bool), name, fatal string, code exit.Code) string {
	value, ok := lookup(name)
	if !ok {
		Die(code, fatal+name+" not set")
	}
	return value
}
