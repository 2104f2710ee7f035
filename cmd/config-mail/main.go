// Config-mail turns on what mail of a domain needs today: signatures, and a look at what comes in; see config-mail(8).
//
//	uid    root
//	usage  config-mail DOMAIN
//	       run again when the DNS has the records that it prints: then mail of the domain leaves signed
//	exec   qmail-dkimkey
//	fd 1   what was done, and the records that the DNS lacks, as in the file of a zone
//	exit   0; 100 for a wrong usage; 111 where something could not be done
package main

import (
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/net/dns"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keyproto"
)

// maxTime is how long the DNS may take in all, and maxQuestions how many questions there are at most.
const (
	maxTime      = time.Minute
	maxQuestions = 40
)

func main() {
	proc.Begin()
	proc.Help("config-mail: usage: config-mail domain")
	if len(os.Args) != 2 {
		proc.Die(exit.Perm, "config-mail: usage: config-mail domain")
	}
	domain := ascii.LowerString(os.Args[1])
	if !keyproto.ValidName(domain) {
		proc.Die(exit.Perm, "config-mail: fatal: a domain is named by letters, digits, hyphens and dots")
	}
	home, err := openHome()
	if err != nil {
		proc.Die(exit.Temp, "config-mail: fatal: "+err.Error())
	}
	s := site{home: home, domain: domain, now: time.Now(), run: dkimkey,
		dns: dns.Open(dns.SystemConf).Within(maxQuestions, time.Now().Add(maxTime))}
	if _, err := passwd.Lookup(conf.UserNames().Key); err == nil {
		s.keys = true
	}
	text, err := s.configure()
	os.Stdout.WriteString(text)
	if err != nil {
		proc.Die(exit.Temp, "config-mail: fatal: "+err.Error())
	}
	proc.Exit(exit.OK)
}

// openHome opens HOME as root may: by no link that another user can have made.
func openHome() (*sys.Folder, error) {
	root, err := sys.OpenFolder("/")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Walk(conf.Home(), "")
}
