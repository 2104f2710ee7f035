// Package lspawn delivers to local recipients for qmail-lspawn: it finds out who gets an
// address and runs qmail-local as that user.
package lspawn

import (
	"os"
	"time"

	"qmail/internal/site/users"
	"qmail/internal/spawn"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// maxOutput is how much of a report the log and a bounce show; longer ones are cut and say so.
const maxOutput = 3000

// A Deliverer delivers to local recipients. It runs as root.
type Deliverer struct {
	Runner  spawn.Runner
	IDs     passwd.IDs
	Home    string        // of qmail: where the programs start, with users/cdb below it
	Default string        // the delivery instructions for users without any
	Log     *os.File      // descriptor 2 of qmail-getpw
	Limit   time.Duration // how long a program may take for a delivery; 0: as long as it likes

	recent answers
}

// Start begins a delivery.
func (l *Deliverer) Start(list []*spawn.Delivery) {
	for _, d := range list { // there are no groups
		go func() { d.Reply(l.deliver(d)) }()
	}
}

// deliver delivers one message to one recipient. A recipient without a local part is nobody's: double bounces
// are thrown away so.
func (l *Deliverer) deliver(d *spawn.Delivery) (report.Kind, []byte) {
	if d.Local == "" {
		return report.Success, nil
	}
	u, r := l.find(d.Local)
	if r != nil {
		return r.Kind, spawn.Text(r)
	}
	if u.UID == 0 {
		r = report.Defer("", "Not allowed to perform deliveries as root.")
		return r.Kind, spawn.Text(r)
	}
	o, err := l.Runner.Run(spawn.Job{
		Name: "qmail-local", Arg0: "bin/qmail-local",
		Args: []string{"--", u.Name, u.Home, d.Local, u.Dash, u.Ext, d.Host, d.Sender, l.Default},
		As:   &priv.ID{UID: u.UID, GID: u.GID}, Dir: l.Home,
		Message: d.Message, Keep: maxOutput, Limit: l.Limit,
	})
	if err != nil {
		r = report.Of(err)
		return r.Kind, spawn.Text(r)
	}
	return read(o)
}

// find returns who gets a local address: by users/cdb, or where that has no entry by qmail-getpw.
// A report means that it is not known now.
func (l *Deliverer) find(local string) (users.User, *report.Report) {
	u, ok, err := users.Lookup(users.File(l.Home), local)
	if err != nil {
		return users.User{}, report.Defer("", "Trouble reading users/cdb in qmail-lspawn.")
	}
	if ok {
		return u, nil
	}
	if u, ok := l.recent.get(local); ok {
		return u, nil
	}
	o, err := l.Runner.Run(spawn.Job{
		Name: "qmail-getpw", Arg0: "bin/qmail-getpw", Args: []string{local},
		As: &priv.ID{UID: l.IDs.Passwd, GID: l.IDs.NoFiles}, Dir: l.Home,
		Errors: l.Log, Keep: users.MaxAnswer, Limit: l.Limit,
	})
	if err != nil {
		return users.User{}, report.Of(err)
	}
	if o.Crashed || o.Code != exit.OK || o.Cut {
		return users.User{}, report.Defer("", "Temporary failure in qmail-lspawn.")
	}
	if u, err = users.ParseUser(o.Output); err != nil {
		return users.User{}, report.Defer("", "Temporary failure in qmail-lspawn.")
	}
	l.recent.put(local, u)
	return u, nil
}
