// Package doctor finds out what is wrong with an installed qmail. A check is a small function; each of its findings is
// one sentence, and one command that mends it or shows more.
package doctor

import (
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/text/exit"
	"qmail/internal/text/qlog"
)

// A Level says how bad a finding is.
type Level uint8

const (
	Warning Level = iota + 1 // mail moves, but not as somebody will expect
	Fault                    // mail does not move, or comes to harm
)

func (l Level) String() string {
	if l == Fault {
		return "fault"
	}
	return "warning"
}

// A Finding is one thing that is wrong.
type Finding struct {
	Check   string
	Level   Level
	Text    string // a sentence
	Command string
}

// DNS is what is asked about names.
type DNS interface {
	Addrs(host string) ([]netip.Addr, error)
	MX(domain string) ([]dns.MX, error)
	PTR(ip netip.Addr) ([]string, error)
	TXT(name string) ([]string, error)
	TLSA(host string, port uint16) ([]dns.TLSA, error)
}

// A Site is what is looked at.
type Site struct {
	Root     string // before each path; empty: /
	Home     string
	Now      time.Time
	Space    func(path string) (sys.Space, error)
	Greeting func() (string, error)           // what answers on port 25 of this machine
	Running  func(queue string) (bool, error) // whether there is a qmail-send
	DNS      DNS                              // nil: it is not asked

	accounts passwd.Accounts
	names    []string // of the accounts of this machine
}

// A check looks for one kind of trouble.
type check struct {
	name  string
	start bool // qmail-send cannot start while it finds a fault
	find  func(s *Site, say sayer)
}

// A sayer takes a finding.
type sayer func(l Level, text, command string)

// checks are all of them, in the order in which they are made.
func checks() []check {
	return []check{
		{"accounts", true, accountsAre},
		{"uids", false, uidsDiffer},
		{"tree", false, treeIsThere},
		{"programs", false, programsAre},
		{"queue", false, queueIs},
		{"me", true, meIs},
		{"start", true, sendCanStart},
		{"control", false, controlsAreRead},
		{"numbers", false, numbersAre},
		{"control names", false, namesAreKnown},
		{"secrets", false, secretsAreKept},
		{"filters", false, filtersAreThere},
		{"rcpthosts", false, relayIsClosed},
		{"domains", false, domainsAgree},
		{"virtualdomains", false, virtualsLead},
		{"srs", false, forwardedReturns},
		{"smtproutes", false, routesAre},
		{"tlsroutes", false, policiesAre},
		{"databases", false, databasesAreNew},
		{"aliases", false, aliasesAre},
		{"sendmail", false, sendmailIsOurs},
		{"rc", false, startIsSet},
		{"running", false, sendRuns},
		{"port 25", false, portAnswers},
		{"space", false, spaceIsLeft},
		{"clock", false, clockIs},
		{"resolver", false, resolverIs},
		{"certificates", false, certificatesAre},
		{"DNS", false, namesLeadHere},
		{"DNS senders", false, sendersAreNamed},
	}
}

// Examine makes the checks, only those that a start needs where start is true, and calls fn with each finding.
func (s *Site) Examine(start bool, fn func(Finding)) {
	s.accounts, _ = passwd.AccountsIn(s.Root)
	for _, c := range checks() {
		if start && !c.start {
			continue
		}
		c.find(s, func(l Level, text, command string) { fn(Finding{c.name, l, text, command}) })
	}
}

// Report examines the site and writes the findings; JSON is an object a line. It returns 0, 1 after warnings, and 2
// after a fault.
func (s *Site) Report(start, asJSON bool, out io.Writer) exit.Code {
	worst := Level(0)
	s.Examine(start, func(f Finding) {
		if start && f.Level != Fault {
			return
		}
		worst = max(worst, f.Level)
		if asJSON {
			b, _ := json.Marshal(map[string]string{
				"check": f.Check, "level": f.Level.String(), "text": f.Text, "command": f.Command,
			})
			out.Write(append(b, '\n'))
			return
		}
		io.WriteString(out, f.Level.String()+": "+printable(f.Text)+"\n    "+printable(f.Command)+"\n")
	})
	if worst == 0 && !asJSON && !start {
		io.WriteString(out, "qmail-doctor: nothing is wrong that can be seen from here\n")
	}
	return exit.Code(worst)
}

// printable has no byte that a terminal obeys.
func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func (s *Site) path(name ...string) string {
	return s.Root + filepath.Join(append([]string{s.Home}, name...)...)
}

// shown is a path without the root of a test.
func (s *Site) shown(path string) string { return path[len(s.Root):] }

func (s *Site) control() control.Dir { return control.Dir(s.path("control")) }

// set returns a command that writes a control file.
func (s *Site) set(name, text string) string {
	return "echo " + text + " >" + filepath.Join(s.Home, "control", name)
}

// edit returns a command that edits a control file.
func (s *Site) edit(name string) string {
	return "${EDITOR:-vi} " + filepath.Join(s.Home, "control", name)
}

// host is the name of this host, or "host.example.org" where that is not known.
func (s *Site) host() string {
	if me, _, err := s.control().Line("me"); err == nil && me != "" {
		return me
	}
	return "host.example.org"
}

// word makes text that a file has safe for a sentence.
func word(s string) string { return string(qlog.SafeString(nil, s[:min(len(s), 80)])) }

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }
