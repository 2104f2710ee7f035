package local

import (
	"strings"

	"qmail/internal/local/mbox"
	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// An environment is a list of NAME=VALUE strings.
type environment []string

// with returns the environment with name set once.
func (e environment) with(name, value string) environment {
	set := name + "=" + value
	out := e[:0]
	for _, s := range e {
		if !strings.HasPrefix(s, set[:len(name)+1]) {
			out = append(out, s)
		}
	}
	return append(out, set)
}

// describe makes the lines that go in front of the message and the variables by which the recipient's programs
// learn about it; see qmail-command(8).
func (d *delivery) describe() {
	recipient := d.local + "@" + d.host
	d.fromLine = mbox.FromLine(d.sender, d.Now())
	returnPath := "Return-Path: <" + ascii.OneLine(rfc822.Quote(d.sender)) + ">\n"
	d.trace = "Delivered-To: " + ascii.OneLine(recipient) + "\n"
	d.head = returnPath + d.trace

	e := append(make(environment, 0, len(d.Env)+20), d.Env...)
	for _, v := range [...]struct{ name, value string }{
		{"HOST", d.host}, {"HOME", d.home}, {"USER", d.user}, {"LOCAL", d.local},
		{"RECIPIENT", recipient}, {"DTLINE", d.trace}, {"SENDER", d.sender},
		{"UFLINE", d.fromLine}, {"RPLINE", returnPath}, {"EXT", d.ext},
	} {
		e = e.with(v.name, v.value)
	}
	host, ext := d.host, d.ext
	for _, n := range [...]string{"2", "3", "4"} {
		host = beforeLastDot(host)
		_, ext, _ = strings.Cut(ext, "-")
		e = e.with("HOST"+n, host).with("EXT"+n, ext)
	}
	d.env = e
}

func beforeLastDot(host string) string {
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		return host[:i]
	}
	return host
}
