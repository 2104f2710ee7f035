package inject

import "qmail/internal/text/getopt"

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
	g := getopt.New("qmail-inject", args, "aAhHnNf:")
	for g.Next() {
		switch g.Letter {
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
			sender := g.Value
			o.Sender = &sender
		}
	}
	o.Recipients = g.Rest()
	return o, g.Mistake
}
