package sts

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"qmail/internal/site/tlsroutes"
	"qmail/internal/text/ascii"
)

// A Cache is a folder with a file for each domain. Whatever is wrong with it, there is no policy: it is the domain that
// has to be asked, then.
type Cache string

// An Entry is what is known of one domain.
type Entry struct {
	ID      string // of the policy; empty: there is none
	Text    []byte // of the policy
	Fetched time.Time
	Tried   time.Time // when a fetch failed last
}

// Folder is where the cache is, below HOME.
const Folder = "queue/lock/mtasts"

const (
	// maxEntries bounds the domains that are known.
	maxEntries = 10000
	// maxDomain leaves room in a file's name for what a temporary one has.
	maxDomain = 200
)

var (
	// ErrDomain says that a name is none that can have a policy.
	ErrDomain = errors.New("no domain name")
	errEntry  = errors.New("malformed entry")
)

// path returns the file of a domain.
func (c Cache) path(domain string) (string, error) {
	if !tlsroutes.Hostname(domain) || len(domain) > maxDomain {
		return "", ErrDomain
	}
	return filepath.Join(string(c), ascii.LowerString(domain)), nil
}

// Get returns what is known of a domain.
func (c Cache) Get(domain string) (e Entry, err error) {
	path, err := c.path(domain)
	if err != nil {
		return e, err
	}
	f, err := os.Open(path)
	if err != nil {
		return e, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxPolicy+1000))
	if err != nil {
		return e, err
	}
	return parseEntry(b)
}

// parseEntry reads an entry: a line with three words, the id or a hyphen and two times, then the policy.
func parseEntry(b []byte) (e Entry, err error) {
	head, text, ok := bytes.Cut(b, []byte("\n"))
	words := strings.Split(string(head), " ")
	if !ok || len(words) != 3 {
		return e, errEntry
	}
	fetched, err1 := strconv.ParseInt(words[1], 10, 64)
	tried, err2 := strconv.ParseInt(words[2], 10, 64)
	if err1 != nil || err2 != nil {
		return e, errEntry
	}
	e = Entry{Fetched: time.Unix(fetched, 0), Tried: time.Unix(tried, 0)}
	if words[0] != "-" {
		if !IsID(words[0]) {
			return Entry{}, errEntry
		}
		e.ID, e.Text = words[0], text
	}
	return e, nil
}

func (e Entry) bytes() []byte {
	id := e.ID
	if id == "" {
		id = "-"
	}
	unix := func(t time.Time) string { return strconv.FormatInt(max(0, t.Unix()), 10) }
	return append([]byte(id+" "+unix(e.Fetched)+" "+unix(e.Tried)+"\n"), e.Text...)
}

// Put keeps what is known of a domain, whole or not at all. A folder that is full loses others for it.
func (c Cache) Put(domain string, e Entry) error {
	path, err := c.path(domain)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := c.makeRoom(); err != nil {
			return err
		}
	}
	return renameio.WriteFile(path, e.bytes(), 0o644, renameio.WithTempDir(string(c)))
}

// makeRoom removes files of a full folder, in the order in which it has them: none is dearer than a fetch.
func (c Cache) makeRoom() error {
	f, err := os.Open(string(c))
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for i := 0; i <= len(names)-maxEntries; i++ {
		os.Remove(filepath.Join(string(c), names[i]))
	}
	return nil
}

// Valid returns the policy of an entry that is not too old for it.
func (e Entry) Valid(now time.Time) (Policy, bool) {
	if e.ID == "" {
		return Policy{}, false
	}
	p, err := Parse(e.Text)
	age := now.Sub(e.Fetched)
	return p, err == nil && age >= 0 && age < p.MaxAge
}

const (
	// Patience is how long a domain whose policy could not be fetched is not asked again.
	Patience = 5 * time.Minute
	// refreshAfter is when a policy is fetched again although its id is the same, so that it does not run out.
	refreshAfter = 24 * time.Hour
)

// Due reports whether the policy of a domain should be fetched, of which the DNS has this id.
func (e Entry) Due(id string, now time.Time) bool {
	if since := now.Sub(e.Tried); since >= 0 && since < Patience {
		return false
	}
	age := now.Sub(e.Fetched)
	_, valid := e.Valid(now)
	return e.ID != id || !valid || age >= refreshAfter
}
