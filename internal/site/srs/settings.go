package srs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/rcpthosts"
	"qmail/internal/text/ascii"
)

// The control files.
const (
	domainFile    = "srs_domain"
	secretsFile   = "srs_secrets"
	separatorFile = "srs_separator"
)

// leastHash is the shortest hash that is made or taken: a shorter one would be guessed.
const leastHash = 4

// On reports whether senders of mail that is passed on are rewritten. What cannot be looked at may be there.
func On(d control.Dir) bool {
	_, err := os.Lstat(filepath.Join(string(d), domainFile))
	return !os.IsNotExist(err)
}

// Read reads the control files. Secrets that everybody may read are none.
func Read(d control.Dir) (*Scheme, error) {
	domain, _, err := d.Line(domainFile)
	if err != nil {
		return nil, unreadable(domainFile)
	}
	if domain == "" || ascii.HasControl(domain) || strings.ContainsAny(domain, "@ ") {
		return nil, errors.New("control/" + domainFile + " has no domain")
	}
	s := &Scheme{Domain: domain}
	if s.Secrets, err = secrets(d); err != nil {
		return nil, err
	}
	if s.Separator, _, err = d.Text(separatorFile); err != nil {
		return nil, unreadable(separatorFile)
	}
	if len(s.Separator) != 1 || !strings.Contains(separators, s.Separator) {
		return nil, errors.New("control/" + separatorFile + " is none of = - +")
	}
	for _, f := range [...]struct {
		name      string
		to        *int
		low, high int
	}{
		{"srs_maxage", &s.MaxAge, 0, days/2 - 1},
		{"srs_hashlength", &s.HashLength, leastHash, fullHash},
		{"srs_hashmin", &s.HashMin, leastHash, fullHash},
	} {
		n, err := d.Int(f.name)
		if err != nil {
			return nil, unreadable(f.name)
		}
		*f.to = min(max(n, f.low), f.high)
	}
	s.HashMin = min(s.HashMin, s.HashLength)
	return s, nil
}

func unreadable(name string) error { return fmt.Errorf("unable to read control/%s", name) }

func secrets(d control.Dir) ([]string, error) {
	fi, err := os.Stat(filepath.Join(string(d), secretsFile))
	if err != nil {
		return nil, unreadable(secretsFile)
	}
	if fi.Mode().Perm()&0o007 != 0 {
		return nil, errors.New("everybody may read or change control/" + secretsFile)
	}
	list, _, err := d.List(secretsFile)
	if err != nil {
		return nil, unreadable(secretsFile)
	}
	if len(list) == 0 {
		return nil, errors.New("control/" + secretsFile + " has no secret")
	}
	return list, nil
}

// Sender returns the sender that a message has when it is passed on: another than its own where there is an address
// for that, it is none of our domains, or control/srs_alwaysrewrite says that this does not matter.
func Sender(d control.Dir, sender string, now time.Time) (string, error) {
	if sender == "" || sender == "#@[]" {
		return sender, nil
	}
	always, err := d.Int("srs_alwaysrewrite")
	if err != nil {
		return "", unreadable("srs_alwaysrewrite")
	}
	if always == 0 {
		if own, err := isOurs(d, sender); own || err != nil {
			return sender, err
		}
	}
	s, err := Read(d)
	if err != nil {
		return "", err
	}
	if address, ok := s.Forward(sender, now); ok {
		return address, nil
	}
	return sender, nil
}

// isOurs reports whether mail for an address comes to this host.
func isOurs(d control.Dir, address string) (bool, error) {
	locals, err := d.Locals()
	if err != nil {
		return false, unreadable("locals")
	}
	if control.NewSet(locals).Has(address[strings.LastIndexByte(address, '@')+1:]) {
		return true, nil
	}
	// without rcpthosts every host is accepted, and none is ours
	if _, ok, err := d.Raw("rcpthosts"); err != nil || !ok {
		return false, err
	}
	hosts, err := rcpthosts.Open(d)
	if err != nil {
		return false, unreadable("rcpthosts")
	}
	defer hosts.Close()
	return hosts.Accepts(address)
}
