// Package route decides which way a recipient goes: locals, virtualdomains and percenthack; see
// qmail-send(8) and addresses(5).
package route

import (
	"strings"

	"qmail/internal/queue"
	"qmail/internal/site/control"
)

// A Table is what the control files say about recipients. It is never changed once made.
type Table struct {
	locals      control.Set
	domains     control.Map // virtualdomains
	percent     control.Set
	envNoAtHost string
}

// Read reads the control files of a table.
func Read(dir control.Dir) (*Table, error) {
	t := &Table{}
	var err error
	if t.envNoAtHost, _, err = dir.Text("envnoathost"); err != nil {
		return nil, err
	}
	percent, _, err := dir.List("percenthack")
	if err != nil {
		return nil, err
	}
	t.percent = control.NewSet(percent)
	return t.Reread(dir)
}

// Reread returns a table with locals and virtualdomains as they are now, and the rest as it was.
func (t *Table) Reread(dir control.Dir) (*Table, error) {
	locals, ok, err := dir.List("locals")
	if err != nil {
		return nil, err
	}
	if !ok {
		me, ok, err := dir.Line("me")
		if err != nil {
			return nil, err
		}
		if ok {
			locals = []string{me}
		}
	}
	domains, _, err := dir.List("virtualdomains")
	if err != nil {
		return nil, err
	}
	n := *t
	n.locals, n.domains = control.NewSet(locals), control.NewMap(domains)
	return &n, nil
}

// Rewrite returns the recipient in the form in which it is delivered, and by which channel. An empty recipient is the
// postmaster: whoever sent such a message gets to know.
func (t *Table) Rewrite(recipient string) (string, queue.Channel) {
	if recipient == "" {
		recipient = "postmaster"
	}
	at := strings.LastIndexByte(recipient, '@')
	if at < 0 {
		at = len(recipient)
		recipient += "@" + t.envNoAtHost
	}
	for t.percent.Has(recipient[at+1:]) {
		j := strings.LastIndexByte(recipient[:at], '%')
		if j < 0 {
			break
		}
		recipient = recipient[:j] + "@" + recipient[j+1:at]
		at = j
	}
	if t.locals.Has(recipient[at+1:]) {
		return recipient, queue.Local
	}
	user, ok := t.domains.Get(recipient)
	if !ok {
		user, ok = t.domains.GetHost(recipient[at+1:])
	}
	if ok && user != "" {
		return user + "-" + recipient, queue.Local
	}
	return recipient, queue.Remote
}

// Public returns a rewritten recipient as the world knows it: without the user that virtualdomains put before it.
func (t *Table) Public(recipient string) string {
	at := strings.LastIndexByte(recipient, '@')
	if at < 0 || t.locals.Has(recipient[at+1:]) {
		return recipient
	}
	user, ok := t.domains.GetHost(recipient[at+1:])
	if !ok || user == "" || len(recipient) <= len(user) || recipient[:len(user)] != user || recipient[len(user)] != '-' {
		return recipient
	}
	return recipient[len(user)+1:]
}

// SenderFor returns the envelope sender for a rewritten recipient. A sender that ends in -@[] names each
// recipient in its own address: list-@host-@[] becomes list-user=domain@host for user@domain.
func SenderFor(sender, recipient string) string {
	base, ok := strings.CutSuffix(sender, "-@[]")
	if !ok {
		return sender
	}
	host, at := strings.LastIndexByte(base, '@'), strings.LastIndexByte(recipient, '@')
	if host < 0 || at < 0 {
		return sender
	}
	return base[:host] + recipient[:at] + "=" + recipient[at+1:] + base[host:]
}
