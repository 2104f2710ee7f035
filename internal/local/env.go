package local

import (
	"strings"

	"qmail/internal/local/mbox"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
	"qmail/internal/text/rfc822"
)

// describe makes the lines that go in front of the message and the variables by which the recipient's programs
// learn about it; see qmail-command(8).
func (d *delivery) describe() {
	recipient := d.local + "@" + d.host
	d.fromLine = mbox.FromLine(d.sender, d.Now())
	returnPath := "Return-Path: <" + ascii.OneLine(rfc822.Quote(d.sender)) + ">\n"
	d.trace = "Delivered-To: " + ascii.OneLine(recipient) + "\n"
	d.head = returnPath + d.trace

	variables := []string{
		"HOST=" + d.host, "HOME=" + d.home, "USER=" + d.user, "LOCAL=" + d.local,
		"RECIPIENT=" + recipient, "DTLINE=" + d.trace, "SENDER=" + d.sender,
		"UFLINE=" + d.fromLine, "RPLINE=" + returnPath, "EXT=" + d.ext,
	}
	host, ext := d.host, d.ext
	for _, n := range [...]string{"2", "3", "4"} {
		host = beforeLastDot(host)
		_, ext, _ = strings.Cut(ext, "-")
		variables = append(variables, "HOST"+n+"="+host, "EXT"+n+"="+ext)
	}
	d.env = environ.With(d.Env, variables...)
}

func beforeLastDot(host string) string {
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		return host[:i]
	}
	return host
}
