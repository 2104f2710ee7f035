package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"qmail/conf"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/text/ascii"
)

// A site is one whose mail is to be signed and checked.
type site struct {
	home   *sys.Folder
	domain string
	now    time.Time
	keys   bool // there is a user who has keys
	run    func(args ...string) (string, error)
	dns    interface {
		TXT(name string) ([]string, error)
	}
}

const (
	filters = "filters"
	filter  = "qmail-verify"
	// maxFile is the most bytes of a control file that is added to.
	maxFile = 1 << 20
)

// A record is one that the DNS ought to have.
type record struct{ name, text string }

// configure does it, and says what was done and what is left. What an administrator has written stays.
func (s *site) configure() (said string, err error) {
	control, err := s.home.Sub("control")
	if err != nil {
		return "", err
	}
	defer control.Close()
	checks, err := s.checks(control)
	if err != nil {
		return "", err
	}
	said = checks
	if !s.keys {
		return said + "Signing is off: " + hier.KeysOff() + ".\n", nil
	}
	signing, missing, err := s.signing(control)
	said += signing
	if err != nil {
		return said, err
	}
	policies, err := s.policies()
	if missing = append(missing, policies...); err != nil {
		return said, err
	}
	if len(missing) > 0 {
		said += "The DNS lacks:\n\n"
		for _, r := range missing {
			said += r.zone()
		}
		said += "\nPut that into the zone, and run config-mail " + s.domain + " again.\n"
	}
	return said, nil
}

// checks has mail of strangers go through qmail-verify, where nobody has decided about filters.
func (s *site) checks(control *sys.Folder) (string, error) {
	f, err := control.Create(filters, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return "control/filters stays as it is.\n", nil
	}
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(filter + "\n")
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close(), control.Sync()); err != nil {
		return "", errors.Join(err, control.Remove(filters))
	}
	return "Mail of strangers is checked: SPF, DKIM, DMARC (control/filters).\n", nil
}

// signing makes keys where there are none, and has mail signed once the DNS has their records.
func (s *site) signing(folder *sys.Folder) (said string, missing []record, err error) {
	old, err := folder.ReadFile(control.Signing, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	for _, l := range control.Lines(old) {
		if name, _, _ := strings.Cut(l, ":"); ascii.Equal(strings.Trim(name, " \t"), s.domain) {
			return "control/dkimdomains has " + s.domain + ", and stays as it is.\n", nil, nil
		}
	}
	selectors, err := s.selectors()
	if err != nil {
		return "", nil, err
	}
	for _, selector := range selectors {
		r, err := s.key(selector)
		if err != nil {
			return "", nil, err
		}
		there, err := s.has(r.name, func(text string) bool { return text == r.text })
		if err != nil {
			return "", nil, err
		}
		if !there {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		said = "Mail of " + s.domain + " is not signed yet: its keys are there, and the DNS does not have them.\n"
		return said, missing, nil
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	line := s.domain + ":" + strings.Join(selectors, ",")
	if err = folder.Replace(control.Signing, append(old, line+"\n"...), 0o644, 0, -1); err != nil {
		return "", nil, err
	}
	return "Mail of " + s.domain + " leaves signed from now on (control/dkimdomains: " + line + ").\n", nil, nil
}

// selectors returns those of the keys that are there, at most two, or names for new ones: RSA, which everybody reads,
// first.
func (s *site) selectors() ([]string, error) {
	year := strconv.Itoa(s.now.Year())
	fresh := []string{"rsa" + year, "ed" + year}
	keys, err := s.home.Sub("keys")
	if err != nil {
		return nil, err
	}
	defer keys.Close()
	dkim, err := keys.Sub("dkim")
	if err != nil {
		return nil, err
	}
	defer dkim.Close()
	folder, err := dkim.Sub(s.domain)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Names()
	if err != nil {
		return nil, err
	}
	var have []string
	for _, n := range names {
		if selector, ok := strings.CutSuffix(n, ".pem"); ok && selector != "" {
			have = append(have, selector)
		}
	}
	slices.Sort(have)
	if len(have) == 0 || slices.Contains(have, fresh[0]) && len(have) == 1 {
		return fresh, nil
	}
	if slices.Contains(have, fresh[0]) && slices.Contains(have, fresh[1]) {
		return fresh, nil
	}
	return have[:min(2, len(have))], nil
}

// key has qmail-dkimkey make a key, or tell the record of one that is there.
func (s *site) key(selector string) (record, error) {
	args := []string{s.domain, selector}
	if strings.HasPrefix(selector, "ed") {
		args = append([]string{"-e"}, args...)
	}
	out, err := s.run(args...)
	if err != nil {
		return record{}, err
	}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(line, ". IN TXT (")
		if !ok || strings.HasPrefix(line, ";") {
			continue
		}
		text := ""
		for i, piece := range strings.Split(value, `"`) {
			if i%2 == 1 {
				text += piece
			}
		}
		return record{name, text}, nil
	}
	return record{}, errors.New("qmail-dkimkey has printed no record")
}

// has reports whether the DNS has a text at a name that is as it ought to be.
func (s *site) has(name string, right func(string) bool) (bool, error) {
	texts, err := s.dns.TXT(name)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		return false, errors.New("the DNS does not say what is at " + name + ": " + err.Error())
	}
	return slices.ContainsFunc(texts, right), nil
}

// policies returns the records by which others know what to think of mail of the domain.
func (s *site) policies() (missing []record, err error) {
	for _, p := range []struct {
		record
		version string
	}{
		{record{s.domain, "v=spf1 mx -all"}, "v=spf1"},
		{record{"_dmarc." + s.domain, "v=DMARC1; p=none; rua=mailto:postmaster@" + s.domain}, "v=DMARC1"},
	} {
		there, err := s.has(p.name, func(text string) bool { return strings.HasPrefix(text, p.version) })
		if err != nil {
			return nil, err
		}
		if !there {
			missing = append(missing, p.record)
		}
	}
	return missing, nil
}

// maxString is the most bytes of a string in a TXT record.
const maxString = 255

// zone is the record as in the file of a zone.
func (r record) zone() string {
	line := r.name + ". IN TXT ("
	for rest := r.text; rest != ""; {
		n := min(len(rest), maxString)
		line += ` "` + rest[:n] + `"`
		rest = rest[n:]
	}
	return line + " )\n"
}

// dkimkey runs qmail-dkimkey and returns what it prints.
func dkimkey(args ...string) (string, error) {
	r, w, err := sys.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	path := filepath.Join(conf.Home(), "bin/qmail-dkimkey")
	pid, err := priv.Fork(priv.Child{Path: path, Args: append([]string{path}, args...),
		Files: []*os.File{os.Stdin, w, os.Stderr}})
	w.Close()
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return "", err
	}
	if st, err := priv.Wait(pid); err != nil || !st.Exited() || st.ExitStatus() != 0 {
		return "", errors.New("qmail-dkimkey could not make a key")
	}
	return string(out), nil
}
