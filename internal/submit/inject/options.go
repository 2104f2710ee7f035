package inject

import (
	"path/filepath"
	"strings"
)

// A Whom says where the recipients come from.
type Whom uint8

const (
	Default    Whom = iota // the arguments if there are any, else the header
	FromArgs               // the arguments alone
	FromHeader             // the header alone
	FromBoth               // the arguments, then the header
)

// Options are what a command line of qmail-inject says.
type Options struct {
	Whom       Whom
	Show       bool    // print the message instead of queueing it
	Sender     *string // the envelope sender, if given
	Recipients []string
	// Sendmail says that the caller is sendmail, whose users have written for another one: a message needs a
	// recipient; where the header names none that counts, a field that is no list of addresses stays as it is; and a
	// message whose first line ends in CRLF has such lines, as from SMTP.
	Sendmail bool
}

// ParseArgs reads the arguments of qmail-inject, without the program's name. A mistake is returned as a line
// for descriptor 2.
func ParseArgs(args []string) (o Options, mistake string) {
	g := NewGetopt("qmail-inject", args, "aAhHnNf:")
	for g.Next() {
		switch g.Option {
		case 'a':
			o.Whom = FromArgs
		case 'A':
			o.Whom = Default
		case 'h':
			o.Whom = FromHeader
		case 'H':
			o.Whom = FromBoth
		case 'n':
			o.Show = true
		case 'N':
			o.Show = false
		case 'f':
			o.Sender = &g.Value
			g.Value = string([]byte(g.Value))
		}
	}
	o.Recipients = g.Rest()
	return o, g.Mistake
}

// A Getopt reads options as getopt(3) does: it ends at the first argument that is no option, or after --.
type Getopt struct {
	Option  byte   // the option that Next found
	Value   string // its argument, if it takes one
	Mistake string // why Next ended before the options did, as a line without newline

	program string
	letters string
	args    []string
	cluster string // what is left of an argument as -abc
}

// NewGetopt returns a Getopt. A colon behind a letter means that the option takes an argument; two, that it takes
// what is left of the argument it stands in. Program is the name in a Mistake; folders in it are left out.
func NewGetopt(program string, args []string, letters string) *Getopt {
	return &Getopt{program: filepath.Base(program), letters: letters, args: args}
}

// Next reads the next option. It returns false after the last one and at a mistake.
func (g *Getopt) Next() bool {
	if g.cluster == "" {
		if len(g.args) == 0 || len(g.args[0]) < 2 || g.args[0][0] != '-' {
			return false
		}
		a := g.args[0]
		g.args = g.args[1:]
		if a == "--" {
			return false
		}
		g.cluster = a[1:]
	}
	g.Option, g.Value = g.cluster[0], ""
	g.cluster = g.cluster[1:]
	takes, ok := g.takesValue(g.Option)
	switch {
	case ok && takes == optional:
		g.Value, g.cluster = g.cluster, ""
		return true
	case !ok:
		g.Mistake = g.program + ": illegal option -- " + string([]byte{g.Option})
		return false
	case takes == no:
		return true
	case g.cluster != "":
		g.Value, g.cluster = g.cluster, ""
		return true
	case len(g.args) > 0:
		g.Value, g.args = g.args[0], g.args[1:]
		return true
	}
	g.Mistake = g.program + ": option requires an argument -- " + string([]byte{g.Option})
	return false
}

// Whether an option takes a value: how many colons are behind its letter.
const (
	no = iota
	always
	optional
)

func (g *Getopt) takesValue(option byte) (takes int, ok bool) {
	i := strings.IndexByte(g.letters, option)
	if option == ':' || i < 0 {
		return no, false
	}
	for _, c := range g.letters[i+1:] {
		if c != ':' {
			break
		}
		takes++
	}
	return takes, true
}

// Rest returns the arguments after the options.
func (g *Getopt) Rest() []string { return g.args }
