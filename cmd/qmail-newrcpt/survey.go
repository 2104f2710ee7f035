package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"time"

	"qmail/internal/site/mailboxes"
	"qmail/internal/site/users"
	"qmail/internal/sys"
)

const (
	// maxFiles is how many .qmail files of one home are listed: of a home with more nothing is certain.
	maxFiles = 100_000
	// maxWait is how long a source that has just been changed is waited for.
	maxWait = 5 * time.Second

	accountFile  = "/etc/passwd"
	servicesFile = "/etc/nsswitch.conf"
)

// A survey is of the homes of this machine.
type survey struct {
	sources []string
	assign  string
	alias   string
	homes   map[string]int // whose each is; -1: anybody's
}

func newSurvey(assign string) *survey {
	return &survey{sources: []string{accountFile, servicesFile}, assign: assign, homes: map[string]int{}}
}

// stamps returns those of the sources, once a further change of any would show.
func (s *survey) stamps() []mailboxes.Stamp {
	end := time.Now().Add(maxWait)
	for {
		list, settled := make([]mailboxes.Stamp, len(s.sources)), true
		for i, path := range s.sources {
			stamp, ok := mailboxes.StampOf(path, time.Now())
			if !ok && time.Now().After(end) {
				stamp = ""
			}
			list[i], settled = stamp, settled && ok
		}
		if settled || time.Now().After(end) {
			return list
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// others reports whether there may be accounts that /etc/passwd does not have.
func (s *survey) others() bool {
	b, err := os.ReadFile(accountFile)
	if err != nil || bytes.HasPrefix(b, []byte("+")) || bytes.Contains(b, []byte("\n+")) {
		return true
	}
	if b, err = os.ReadFile(servicesFile); err != nil {
		return !os.IsNotExist(err)
	}
	return elsewhere(string(b))
}

// elsewhere reports whether nsswitch.conf names a source of accounts that is not /etc/passwd. That of systemd has only
// accounts without mail.
func elsewhere(text string) bool {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		name, list, ok := strings.Cut(line, ":")
		if !ok || strings.Trim(name, " \t") != "passwd" {
			continue
		}
		for _, word := range strings.FieldsFunc(list, isBlank) {
			switch word {
			case "files", "compat", "systemd":
			default:
				return true
			}
		}
	}
	return false
}

func isBlank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// assigned adds the homes of users/assign.
func (s *survey) assigned() error {
	f, err := os.Open(s.assign)
	if err != nil {
		return err
	}
	defer f.Close()
	return users.Build(f, homes(s.homes))
}

// homes takes the records of users/cdb.
type homes map[string]int

// Add implements users.Adder.
func (h homes) Add(_, value []byte) error {
	if u, err := users.ParseUser(append(slices.Clone(value), 0)); err == nil {
		h[u.Home] = -1
	}
	return nil
}

// visit tells of each home which .qmail files it has. Of one that cannot be reached, or that changes meanwhile, or has
// too many, there is nothing to tell.
func (s *survey) visit(now func() time.Time, tell func(string, mailboxes.Stamp, []string) error) error {
	root, err := sys.OpenFolder("/")
	if err != nil {
		return err
	}
	defer root.Close()
	for home, uid := range s.homes {
		if !strings.HasPrefix(home, "/") || strings.IndexByte(home, 0) >= 0 {
			continue
		}
		before, settled := mailboxes.StampOf(home, now())
		if !settled && home == s.alias { // whose names are everybody's: an uncertain one would let all of them in
			for end := now().Add(maxWait); !settled && now().Before(end); {
				time.Sleep(50 * time.Millisecond)
				before, settled = mailboxes.StampOf(home, now())
			}
		}
		files, ok := list(root, home, uid)
		if !ok {
			continue
		}
		if after, _ := mailboxes.StampOf(home, now()); !settled || after != before {
			before = ""
		}
		if err := tell(home, before, files); err != nil {
			return err
		}
	}
	return nil
}

// list returns the names of the .qmail files of a home.
func list(root *sys.Folder, home string, uid int) (files []string, ok bool) {
	d, err := root.Walk(home, "")
	if err != nil {
		return nil, false
	}
	defer d.Close()
	if st, err := d.Status(); err != nil || uid >= 0 && st.UID != uid {
		return nil, false
	}
	err = d.EachName(func(name string) bool {
		if strings.HasPrefix(name, ".qmail") {
			files = append(files, name)
		}
		return len(files) <= maxFiles
	})
	return files, err == nil && len(files) <= maxFiles
}
