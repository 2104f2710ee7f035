package mailboxes

import (
	"strconv"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/site/users"
	"qmail/internal/text/ascii"
)

// An Account is one of /etc/passwd.
type Account struct {
	Name string
	UID  int
	Home string
}

// A Maker writes such a file.
type Maker struct {
	To      users.Adder
	Control control.Dir
	Sources []string // paths: what the accounts were read from, and what is in control
	err     error
}

func (m *Maker) add(key, value string) {
	if m.err == nil {
		m.err = m.To.Add([]byte(key), []byte(value))
	}
}

// ControlFiles are those that decide which addresses are local.
func ControlFiles() []string { return []string{"me", "locals", "virtualdomains", "percenthack"} }

// Begin writes what the control files say, and the stamps of the sources, which must have been taken before any of them
// was read.
func (m *Maker) Begin(stamps []Stamp, others bool) error {
	m.add(keyMark, "1")
	var list strings.Builder
	for i, path := range m.Sources {
		list.WriteString(path + "\x00" + string(stamps[i]) + "\x00")
	}
	m.add(keySources, list.String())
	if others {
		m.add(keyElse, "")
	}
	locals, err := m.Control.Locals()
	if err != nil {
		return err
	}
	for _, l := range locals {
		if l != "" {
			m.add(keyLocal+ascii.LowerString(l), "")
		}
	}
	percent, _, err := m.Control.List("percenthack")
	if err != nil {
		return err
	}
	for _, l := range percent {
		m.add(keyPercent+ascii.LowerString(l), "")
	}
	virtual, _, err := m.Control.List("virtualdomains")
	if err != nil {
		return err
	}
	for _, l := range virtual { // of two lines with one key the first counts, here as in the cdb
		if key, user, ok := strings.Cut(l, ":"); ok {
			m.add(keyVirtual+ascii.LowerString(key), user)
		}
	}
	return m.err
}

// Account writes an account.
func (m *Maker) Account(a Account) error {
	m.add(keyAccount+a.Name, strconv.Itoa(a.UID)+" "+a.Home)
	return m.err
}

// Alias writes where the alias account has its home.
func (m *Maker) Alias(home string) error {
	m.add(keyAlias, home)
	return m.err
}

// A Home is what was seen of one.
type Home struct {
	Path  string
	Owner int      // -1: there is no such folder
	Stamp Stamp    // of before it was read; empty: which files it has is not certain
	Files []string // the names of its .qmail files
}

// Home writes what was seen of a home. One of which it is not told is uncertain.
func (m *Maker) Home(h Home) error {
	owner := nobody
	if h.Owner >= 0 {
		owner = strconv.Itoa(h.Owner)
	}
	m.add(keyHome+h.Path, owner+" "+string(h.Stamp))
	for _, f := range h.Files {
		m.add(keyFile+h.Path+"\x00"+f, "")
	}
	return m.err
}
