package main

import (
	"errors"
	"io/fs"
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
)

// A survey is of the homes of this machine.
type survey struct {
	sources []string
	assign  string
	alias   string
	homes   map[string][]int // the uids that may have mail there; -1: anybody
}

func newSurvey(assign string) *survey {
	s := &survey{sources: []string{accountFile}, assign: assign, homes: map[string][]int{}}
	s.sources = append(append(s.sources, servicesFiles()...), systemdFolders()...)
	return s
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
type homes map[string][]int

// Add implements users.Adder.
func (h homes) Add(_, value []byte) error {
	if u, err := users.ParseUser(append(slices.Clone(value), 0)); err == nil {
		h[u.Home] = append(h[u.Home], -1)
	}
	return nil
}

// visit tells of each home whose it is and which .qmail files it has. Of one that cannot be reached, or that has too
// many, there is nothing to tell; one that changes meanwhile has no stamp.
func (s *survey) visit(now func() time.Time, tell func(mailboxes.Home) error) error {
	root, err := sys.OpenFolder("/")
	if err != nil {
		return err
	}
	defer root.Close()
	for path, uids := range s.homes {
		if !strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
			continue
		}
		before, settled := mailboxes.StampOf(path, now())
		if !settled && path == s.alias { // whose names are everybody's: an uncertain one would let all of them in
			for end := now().Add(maxWait); !settled && now().Before(end); {
				time.Sleep(50 * time.Millisecond)
				before, settled = mailboxes.StampOf(path, now())
			}
		}
		home, named, ok := look(root, path, uids)
		if !ok {
			continue
		}
		if after, _ := mailboxes.StampOf(path, now()); named && settled && after == before {
			home.Stamp = before
		}
		if err := tell(home); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a home; ok is false where nothing is certain of it. named says that it has all names of .qmail files:
// of a home that is none of uids' they are not read.
func look(root *sys.Folder, path string, uids []int) (home mailboxes.Home, named, ok bool) {
	home = mailboxes.Home{Path: path, Owner: -1}
	d, err := root.Walk(path, "")
	if err != nil {
		return home, false, errors.Is(err, fs.ErrNotExist)
	}
	defer d.Close()
	st, err := d.Status()
	if err != nil {
		return home, false, false
	}
	home.Owner = st.UID
	if !slices.Contains(uids, st.UID) && !slices.Contains(uids, -1) {
		return home, false, true
	}
	err = d.EachName(func(name string) bool {
		if strings.HasPrefix(name, ".qmail") {
			home.Files = append(home.Files, name)
		}
		return len(home.Files) <= maxFiles
	})
	named = err == nil && len(home.Files) <= maxFiles
	return home, named, named
}
