package main

import (
	"bytes"
	"io"
	"os"
	"strings"

	"qmail/internal/submit/inject"
	"qmail/internal/sys"
	"qmail/internal/text/environ"
	"qmail/internal/text/getopt"
	"qmail/internal/text/rfc822"
)

const usage = "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]"

// options are what a command line of sendmail says, as far as it means anything here.
type options struct {
	fromHeader bool // -t: recipients are taken from the header as well
	sender     *string
	name       string // -F
	hasName    bool
	list       bool // -bp
	server     bool // -bs
	queueRun   bool // -q: qmail-send runs the queue without being told
	recipients []string
}

const noVerify = "sendmail: fatal: there is no -bv: whether an address takes mail is known when mail comes to it"

// parse reads the arguments. What programs tell Sendmail, Postfix or Exim about how to do their work is accepted and
// does nothing: -i, -m, -n, -v, -x, -E, -G, -J, -U, and with an argument -h, -e, -o, -p, -B, -L, -N, -O, -R, -V. A
// mistake is returned as text for descriptor 2.
func parse(args []string) (o options, mistake string) {
	g := getopt.New("sendmail", args, "vimnte:f:h:p:q::r:o:B:F:EGJ::L:N:O:R:UV:xb:")
	for g.Next() {
		switch g.Letter {
		case 't':
			o.fromHeader = true
		case 'q':
			o.queueRun = true
		case 'f', 'r':
			sender := addressIn(g.Value)
			o.sender = &sender
		case 'F':
			o.name, o.hasName = g.Value, true
		case 'b':
			switch {
			case g.Value != "" && g.Value[0] == 'm':
			case g.Value != "" && g.Value[0] == 'p':
				o.list = true
			case g.Value != "" && g.Value[0] == 's':
				o.server = true
			case g.Value == "v":
				return o, noVerify
			default:
				return o, usage
			}
		}
	}
	if g.Mistake != "" {
		return o, g.Mistake + "\n" + usage
	}
	o.recipients = g.Rest()
	return o, ""
}

// addressIn returns the address that an argument of -f means: what stands in angle brackets, if there is one such
// address, without its quotes; else the argument as it is.
func addressIn(arg string) string {
	list, err := rfc822.Tokenize(arg)
	if err != nil || len(list) == 0 || list[len(list)-1].Kind != rfc822.Right {
		return arg
	}
	found, err := rfc822.Addresses(arg)
	if err != nil || len(found) != 1 {
		return arg
	}
	return found[0]
}

// environ returns the environment for qmail-inject's code. A From field that has to be made is the sender's, with no
// name but the one of -F: what the environment says is that of the user.
func (o options) environ(env []string) []string {
	if o.sender != nil && *o.sender != "" {
		user, host := *o.sender, ""
		if i := strings.LastIndexByte(user, '@'); i >= 0 {
			user, host = user[:i], user[i+1:]
		}
		env = environ.Without(env, "QMAILNAME", "MAILNAME", "NAME", "MAILHOST")
		env = environ.With(env, "QMAILUSER="+user, "QMAILHOST="+host)
	}
	if o.hasName {
		env = environ.With(env, "MAILNAME="+o.name)
	}
	return env
}

// nothing reports whether there is no message to take: -q asks for a run of the queue. One that comes with whom it goes
// to is sent, since it would be lost otherwise.
func (o options) nothing() bool { return o.queueRun && !o.fromHeader && len(o.recipients) == 0 }

// inject returns the options for qmail-inject's code.
func (o options) inject() inject.Options {
	whom := inject.FromArgs
	if o.fromHeader {
		whom = inject.FromBoth
	}
	return inject.Options{Whom: whom, Sender: o.sender, Recipients: o.recipients, Sendmail: true}
}

// classic returns the same as arguments of the program qmail-inject.
func (o options) classic() []string {
	args := []string{"-a"}
	if o.fromHeader {
		args[0] = "-H"
	}
	if o.sender != nil {
		args = append(args, "-f", *o.sender)
	}
	return append(append(args, "--"), o.recipients...)
}

// serverEnv makes qmail-smtpd believe in a connection from this host, unless something else has told it of one.
func serverEnv(env []string) []string {
	if _, told := environ.Get(env, "PROTO"); told {
		return env
	}
	return environ.With(env, "PROTO=TCP", "TCPLOCALIP=127.0.0.1", "TCPLOCALHOST=localhost",
		"TCPREMOTEIP=127.0.0.1", "TCPREMOTEHOST=localhost", "TCPREMOTEINFO=sendmail-bs",
		"RELAYCLIENT=", "DATABYTES=0")
}

// ours reports whether path is an ordinary program made by Go, as our qmail-inject is: not a script, a link or a
// program of another making that somebody has put in its place.
func ours(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
		return false
	}
	f, err := sys.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [4096]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.ErrUnexpectedEOF {
		return false
	}
	// The linker leaves its build id near the start: in an ELF note of the owner "Go", elsewhere as text.
	return bytes.HasPrefix(head[:n], []byte("\x7fELF")) &&
		bytes.Contains(head[:n], []byte("\x04\x00\x00\x00Go\x00\x00")) ||
		bytes.Contains(head[:n], []byte("\xff Go build ID: \""))
}
