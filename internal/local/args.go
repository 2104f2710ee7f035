package local

import "qmail/internal/text/getopt"

const usage = "qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty\n"

// args is the command line of qmail-local.
type args struct {
	doit       bool // false with -n: describe the instructions instead
	user, home string
	local      string
	dash, ext  string
	host       string
	sender     string
	standard   string // the delivery instructions where the recipient has none
}

// parseArgs returns the arguments, or what to say about them.
func parseArgs(argv []string) (a args, problem string) {
	a.doit = true
	options := getopt.New("qmail-local", argv, "nN")
	for options.Next() {
		a.doit = options.Letter == 'N'
	}
	if options.Mistake != "" {
		return a, options.Mistake + "\n" + usage
	}
	argv = options.Rest()
	if len(argv) != 8 || argv[1] == "" || argv[1][0] != '/' {
		return a, usage
	}
	a.user, a.home, a.local, a.dash = argv[0], argv[1], argv[2], argv[3]
	a.ext, a.host, a.sender, a.standard = argv[4], argv[5], argv[6], argv[7]
	return a, ""
}
