// Qmail-mtasts fetches the MTA-STS policy of a domain for qmail-tlsremote.
//
//	uid   qmailr          exec  nothing
//	args  the domain, and the id that its TXT record has
//	exit  0 when queue/lock/mtasts has the policy; 100 for a wrong usage; 111 when it could not be had, which is kept
package main

import (
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/net/dns"
	"qmail/internal/smtp/guard"
	"qmail/internal/smtp/sts"
	"qmail/internal/smtp/stsfetch"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
)

func main() {
	proc.BeginAlone()
	if len(os.Args) != 3 {
		proc.Die(exit.Perm, "qmail-mtasts: usage: qmail-mtasts domain id")
	}
	folder := filepath.Join(conf.Home(), sts.Folder)
	rights := sandbox.Rights{
		Network: true, Write: []string{folder},
		Read: append(guard.RootFolders(), filepath.Dir(dns.SystemConf)),
	}
	if real, err := filepath.EvalSymlinks(dns.SystemConf); err == nil {
		rights.Read = append(rights.Read, filepath.Dir(real))
	}
	sandbox.Enter(rights) // where it fails, the policy is fetched all the same
	f := stsfetch.New(sts.Cache(folder), dns.Open(dns.SystemConf).Addrs)
	if err := f.Fetch(os.Args[1], os.Args[2]); err != nil {
		proc.Die(exit.Temp, "qmail-mtasts: fatal: "+err.Error())
	}
	proc.Exit(exit.OK)
}
