// Config-tls puts a certificate and its key where qmail's servers find them; see config-tls(8).
//
//	uid    root
//	usage  config-tls HOST [CERT KEY]
//	       CERT is the certificate of HOST with those that lead to its authority, KEY its private key, both PEM; without
//	       them a pair is made that is good for a test
//	fd 1   what was done, and what to do next
//	exit   0; 100 for a wrong usage, or a pair that is not to be used; 111 where it could not be put there
package main

import (
	"errors"
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keyproto"
)

func main() {
	proc.Begin()
	proc.Help("config-tls: usage: config-tls host [cert key]")
	args := os.Args[1:]
	if len(args) != 1 && len(args) != 3 {
		proc.Die(exit.Perm, "config-tls: usage: config-tls host [cert key]")
	}
	host := ascii.LowerString(args[0])
	if !keyproto.ValidName(host) {
		proc.Die(exit.Perm, "config-tls: fatal: a host is named by letters, digits, hyphens and dots")
	}
	owner, err := passwd.Lookup(conf.UserNames().Key)
	if err != nil {
		if errors.Is(err, passwd.ErrUnknown) {
			proc.Die(exit.Temp, "config-tls: fatal: "+hier.KeysOff())
		}
		proc.Die(exit.Temp, "config-tls: fatal: "+err.Error())
	}
	p, err := pairOf(host, args[1:], time.Now())
	if err != nil {
		proc.Die(exit.Perm, "config-tls: fatal: "+err.Error())
	}
	first, err := install(host, p, owner)
	if err != nil {
		proc.Die(exit.Temp, "config-tls: fatal: "+err.Error())
	}
	os.Stdout.WriteString(report(host, p, first))
	proc.Exit(exit.OK)
}

// report says what was done, and what to do next.
func report(host string, p pair, first bool) string {
	text := "TLS clients of " + host + " get the certificate that ends on " + p.ends.UTC().Format("2006-01-02") +
		", from their next session on.\n"
	if p.warning != "" {
		text += "Warning: " + p.warning + ".\n"
	}
	if first {
		text += "control/tlsroutes is there now: qmail-rspawn sends by TLS where a host offers it, when qmail is started\n" +
			"again. For clients, have qmail-smtpsd in the place of qmail-smtpd, and start the services for ports 465, 587\n" +
			"and 995; doc/TLS.md says how.\n"
	}
	return text
}
