package main

import (
	"bytes"
	"io"
	"os"

	"qmail/internal/submit/inject"
	"qmail/internal/sys"
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
	recipients []string
}

// parse reads the arguments. Options that tell the other sendmail how to do its work are accepted and do nothing:
// -i, -m, -v, -x, -E, and with an argument -B, -J, -e, -o, -p. A mistake is returned as text for descriptor 2.
func parse(args []string) (o options, mistake string) {
	g := inject.NewGetopt("sendmail", args, "vimte:f:p:o:B:F:EJ:xb:")
	for g.Next() {
		switch g.Option {
		case 't':
			o.fromHeader = true
		case 'f':
			sender := g.Value
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

// inject returns the options for qmail-inject's code.
func (o options) inject() inject.Options {
	whom := inject.FromArgs
	if o.fromHeader {
		whom = inject.FromBoth
	}
	return inject.Options{Whom: whom, Sender: o.sender, Recipients: o.recipients}
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
	for _, e := range env {
		if len(e) >= 6 && e[:6] == "PROTO=" {
			return env
		}
	}
	for _, v := range [][2]string{
		{"PROTO", "TCP"}, {"TCPLOCALIP", "127.0.0.1"}, {"TCPLOCALHOST", "localhost"},
		{"TCPREMOTEIP", "127.0.0.1"}, {"TCPREMOTEHOST", "localhost"}, {"TCPREMOTEINFO", "sendmail-bs"},
		{"RELAYCLIENT", ""}, {"DATABYTES", "0"},
	} {
		env = set(env, v[0], v[1])
	}
	return env
}

// set returns env with a variable set.
func set(env []string, name, value string) []string {
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		if len(e) <= len(name) || e[len(name)] != '=' || e[:len(name)] != name {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
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
