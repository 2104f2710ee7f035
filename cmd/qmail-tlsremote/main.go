// Qmail-tlsremote sends one message to one host by SMTP, with TLS where that is to be had or required. It is
// qmail-remote otherwise; qmail-rspawn runs it in that one's place where control says how.
//
//	uid   qmailr          exec  qmail-mtasts; programs that print tokens
//	args  host, sender, one recipient or more
//	fd 0  the message     fd 1  the report, see qmail-remote(8) and qmail-tlsremote(8)
//	fd 3  in worker form, jobs from qmail-rspawn
//	exit  0, whatever the report says; 111 if it could not be written
package main

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/net/dns"
	"qmail/internal/smtp/guard"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/remotejobs"
	"qmail/internal/smtp/sts"
	"qmail/internal/sys/daybook"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
	"qmail/internal/worker"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-tlsremote: usage: qmail-tlsremote host sender recipient ...")
	home := conf.Home()
	out := proc.FD(1, "report")
	if proc.Chdir(home) != nil {
		out.WriteString("ZUnable to switch to home directory. (#4.3.0)\n\x00")
		proc.Exit(exit.OK)
	}
	r := remote.New(home)
	g := guard.New(r.Control)
	g.Env, r.Secure = os.Environ(), g
	g.DNS = func() guard.Lookup { return dns.Open(dns.SystemConf) }
	fetcher, cache := filepath.Join(home, "bin/qmail-mtasts"), filepath.Join(home, sts.Folder)
	g.Cache, g.FetchSTS = sts.Cache(cache), guard.Fetch(fetcher, os.Environ())
	noted := daybook.Of(home, daybook.TLS)
	if contact, _, err := r.Control.Text("tlsreports"); err == nil && contact != "" {
		g.Note = func(words ...string) error { return noted.Add(time.Now(), words...) }
	}
	l, isWorker := worker.Offered("qmail-tlsremote")
	g.Certificate = own(isWorker)
	if isWorker {
		if !g.RunsPrograms() {
			// qmail-mtasts starts with os.DevNull.
			remotejobs.Confine(home, append(guard.RootFolders(), fetcher), cache, string(noted), os.DevNull)
		}
		proc.Exit(remotejobs.Serve(l, r))
	}
	r.Take(os.Environ())
	proc.Exit(r.Deliver(os.Args[1:], proc.FD(0, "message"), out))
}

// own returns what brings our certificate, if qmail-key has one for clients. Hosts that ask for none are none the
// wiser, and to those that ask we are nobody where there is none.
func own(isWorker bool) func() (*tls.Certificate, error) {
	k, err := keys.Open(isWorker)
	if err != nil {
		return nil
	}
	return func() (*tls.Certificate, error) {
		c, err := k.Certificate("", keyproto.Client)
		if errors.Is(err, keys.ErrNone) {
			return new(tls.Certificate), nil
		}
		return c, err
	}
}
