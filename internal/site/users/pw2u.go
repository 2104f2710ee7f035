package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// A HomeCheck is what qmail-pw2u asks of a home directory.
type HomeCheck uint8

const (
	HomeOwned    HomeCheck = iota // leave out a user whose home is missing or another's
	HomeRequired                  // as HomeOwned, but a missing home is an error
	HomeAny                       // do not look
)

// Options are those of qmail-pw2u(8).
type Options struct {
	Home    HomeCheck
	Capital bool   // take names with capital letters
	Slash   bool   // extensions are files in a folder: .qmail-/ext
	Break   string // the byte between a name and an extension; empty: no extensions
}

// A Site is what qmail-pw2u knows besides its input: the files of the users folder, and the
// owners of folders.
type Site struct {
	Alias     string                                    // the account that gets every address that nobody else has
	Include   func(name string) bool                    // nil: all are included
	Exclude   func(name string) bool                    // nil: none is excluded
	Mailnames func(name string) (names string, ok bool) // with colons between; nil: nobody has any
	Subusers  []string                                  // lines of sub:user:pre:
	Append    io.Reader                                 // copied as it is; nil: nothing
	Owner     func(path string) (uid int, err error)
}

type account struct{ uid, gid, home string }

// maker writes users/assign.
type maker struct {
	Options
	Site
	out      *bufio.Writer
	accounts map[string]account
}

// FromPasswd turns a password file into users/assign. The alias account must be in it.
func FromPasswd(passwd io.Reader, out io.Writer, o Options, site Site) error {
	m := maker{o, site, bufio.NewWriterSize(out, 64<<10), map[string]account{}}
	r := bufio.NewReaderSize(passwd, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return errors.New("a line of the input is too long")
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("unable to read input: %w", err)
		}
		if aerr := m.account(line); aerr != nil {
			return aerr
		}
		if err == io.EOF {
			break
		}
	}
	if err := m.out.Flush(); err != nil {
		return writeError(err)
	}
	if _, ok := m.accounts[m.Alias]; !ok {
		return errors.New("unable to find alias user")
	}
	if err := m.subusers(); err != nil {
		return err
	}
	if m.Append != nil {
		if _, err := io.Copy(m.out, m.Append); err != nil {
			return fmt.Errorf("unable to copy users/append: %w", err)
		}
	}
	m.out.WriteString(".\n")
	if err := m.out.Flush(); err != nil {
		return writeError(err)
	}
	return nil
}

func writeError(err error) error { return fmt.Errorf("unable to write output: %w", err) }

// account writes the lines of one account, or none where it is not to receive mail.
func (m *maker) account(line []byte) error {
	f := bytes.Split(bytes.TrimSuffix(line, []byte{'\n'}), []byte{':'})
	if len(f) < 7 || bytes.IndexByte(line, 0) >= 0 {
		return nil
	}
	name, a := string(f[0]), account{string(f[2]), string(f[3]), string(f[5])}
	uid, ok := number(a.uid)
	if !ok || uid == 0 || !digits(a.gid) || name == "" || !m.wanted(name) {
		return nil
	}
	if ok, err := m.homeFits(a.home, uid); !ok || err != nil {
		return err
	}
	m.accounts[name] = a
	if name == m.Alias {
		m.line('+', "", name, a, m.dash(), "")
	}
	names := name
	if m.Mailnames != nil {
		if given, ok := m.Mailnames(name); ok {
			names = given
		}
	}
	for _, n := range strings.Split(names, ":") {
		if n != "" {
			m.line('=', n, name, a, "", "")
			m.wild(n, name, a, "")
		}
	}
	return nil
}

// wanted applies users/include, users/exclude and the rule on capitals. An account with a
// capital letter would never be found under its own name, since addresses are folded.
func (m *maker) wanted(name string) bool {
	if m.Include != nil && !m.Include(name) || m.Exclude != nil && m.Exclude(name) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if 'A' <= name[i] && name[i] <= 'Z' && !m.Capital {
			return false
		}
	}
	return true
}

func (m *maker) homeFits(home string, uid int) (bool, error) {
	if m.Home == HomeAny {
		return true, nil
	}
	owner, err := m.Owner(home)
	switch {
	case errors.Is(err, fs.ErrNotExist) && m.Home == HomeOwned:
		return false, nil
	case err != nil:
		return false, errors.New("unable to stat " + home)
	}
	return owner == uid, nil
}

// subusers writes the lines of users/subusers: sub:user:pre: hands sub to user as user's
// extension pre.
func (m *maker) subusers() error {
	for _, line := range m.Subusers {
		f := strings.Split(line, ":")
		if len(f) < 4 {
			continue
		}
		sub, name, pre := f[0], f[1], f[2]
		a, ok := m.accounts[name]
		if !ok {
			return errors.New("unable to find " + name + " user for subuser")
		}
		m.line('=', sub, name, a, m.dash(), pre)
		m.wild(sub, name, a, pre+"-")
	}
	return nil
}

func (m *maker) wild(address, name string, a account, pre string) {
	if m.Break != "" {
		m.line('+', address+m.Break[:1], name, a, m.dash(), pre)
	}
}

func (m *maker) dash() string {
	if m.Slash {
		return "-/"
	}
	return "-"
}

// line writes one line; the writer keeps the first error for the flush.
func (m *maker) line(kind byte, address, name string, a account, dash, pre string) {
	m.out.WriteByte(kind)
	for _, s := range [...]string{address, name, a.uid, a.gid, a.home, dash, pre} {
		m.out.WriteString(s)
		m.out.WriteByte(':')
	}
	m.out.WriteByte('\n')
}

func digits(s string) bool {
	_, ok := number(s)
	return ok
}
