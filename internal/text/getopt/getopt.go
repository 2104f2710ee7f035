// Package getopt reads the options of a command line as getopt(3) does: they end at the first argument that is none,
// or after --.
package getopt

// Options are the options that a command line begins with.
type Options struct {
	Letter  byte   // the option that Next found
	Value   string // its argument, if it takes one
	Mistake string // why Next ended before the options did, as a line without newline

	program string
	letters string
	args    []string
	cluster string // what is left of an argument as -abc
}

// New returns the options of args, which is without the program's name. A colon behind a letter means that the
// option takes an argument; two, that it takes what is left of the word it stands in. Program is the name in a Mistake.
func New(program string, args []string, letters string) *Options {
	return &Options{program: program, letters: letters, args: args}
}

// Next reads the next option. It returns false after the last one and at a mistake.
func (o *Options) Next() bool {
	if o.cluster == "" {
		if len(o.args) == 0 || len(o.args[0]) < 2 || o.args[0][0] != '-' {
			return false
		}
		word := o.args[0]
		o.args = o.args[1:]
		if word == "--" {
			return false
		}
		o.cluster = word[1:]
	}
	letter := o.cluster[:1]
	o.Letter, o.Value, o.cluster = letter[0], "", o.cluster[1:]
	known, colons := o.find()
	switch {
	case !known:
		o.Mistake = o.program + ": illegal option -- " + letter
	case colons == 0:
	case colons == 2 || o.cluster != "":
		o.Value, o.cluster = o.cluster, ""
	case len(o.args) > 0:
		o.Value, o.args = o.args[0], o.args[1:]
	default:
		o.Mistake = o.program + ": option requires an argument -- " + letter
	}
	return o.Mistake == ""
}

// find tells whether there is an option of this letter, and how many colons are behind it.
func (o *Options) find() (known bool, colons int) {
	if o.Letter == ':' {
		return false, 0
	}
	for i := 0; i < len(o.letters); i++ {
		switch {
		case o.letters[i] == o.Letter:
			known = true
		case known && o.letters[i] == ':':
			colons++
		case known:
			return true, colons
		}
	}
	return known, colons
}

// Rest returns the arguments after the options.
func (o *Options) Rest() []string { return o.args }
