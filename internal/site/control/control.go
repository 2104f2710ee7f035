// Package control reads the files of the control folder; see qmail-control(5).
package control

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/text/ascii"
)

// maxFile bounds one control file.
const maxFile = 64 << 20

// A Dir is the folder that holds the control files.
type Dir string

// Default is HOME/control.
func Default() Dir { return Dir(filepath.Join(conf.Home(), "control")) }

// Signing is the file that says how mail that leaves is signed. Where it is not, none is.
const Signing = "dkimdomains"

// Signs reports whether mail that leaves is signed. What cannot be looked at may be there.
func (d Dir) Signs() bool {
	_, err := os.Lstat(filepath.Join(string(d), Signing))
	return !os.IsNotExist(err)
}

// Raw returns the bytes of a control file. Absence is not an error: ok is false.
func (d Dir) Raw(name string) (b []byte, ok bool, err error) {
	b, err = readFile(filepath.Join(string(d), name), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// Line returns the first line of a control file, without white space and CR at its end.
func (d Dir) Line(name string) (s string, ok bool, err error) {
	b, ok, err := d.Raw(name)
	if !ok || err != nil {
		return "", false, err
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return string(Trim(b)), true, nil
}

// Text returns the first line of a control file, or what the table has in its place. Where that would be the line of
// control/me, and there is none, ok is false.
func (d Dir) Text(name string) (s string, ok bool, err error) { return new(Me).Text(d, name) }

// A Me reads control/me at most once. The zero value is ready.
type Me struct {
	line     string
	ok, read bool
}

// Line returns the first line of control/me.
func (m *Me) Line(d Dir) (s string, ok bool, err error) {
	if !m.read {
		if m.line, m.ok, err = d.Line("me"); err != nil {
			return "", false, err
		}
		m.read = true
	}
	return m.line, m.ok, nil
}

// Text is d.Text(name).
func (m *Me) Text(d Dir, name string) (s string, ok bool, err error) {
	if s, ok, err = d.Line(name); ok || err != nil {
		return s, ok, err
	}
	f := file(name)
	if f.Kind != TextOrMe {
		return f.Default, true, nil
	}
	if s, ok, err = m.Line(d); !ok {
		s = f.Name
	}
	return s, ok, err
}

// Int returns the number that the first line begins with. In the place of an absent file, or of a line that is no
// number, stands the default of the table.
func (d Dir) Int(name string) (int, error) {
	s, _, err := d.Line(name)
	if err != nil {
		return 0, err
	}
	n, ok := ParseInt(s)
	if !ok {
		n, _ = ParseInt(file(name).Default)
	}
	return n, nil
}

// ParseInt reads the decimal digits that s begins with; a number over 2^31-1 is that.
func ParseInt(s string) (n int, ok bool) {
	const limit = 1<<31 - 1
	i := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = min(limit, n*10+int(s[i]-'0'))
	}
	return n, i > 0
}

// List returns the lines of a control file, without white space and CR at their ends, empty lines
// and lines that begin with #.
func (d Dir) List(name string) (lines []string, ok bool, err error) {
	b, ok, err := d.Raw(name)
	if !ok || err != nil {
		return nil, false, err
	}
	return Lines(b), true, nil
}

// Locals returns the domains of this machine, as qmail-send knows them.
func (d Dir) Locals() ([]string, error) {
	lines, ok, err := d.List("locals")
	if ok || err != nil {
		return lines, err
	}
	me, _, err := d.Line("me")
	return []string{me}, err
}

// Filters are the lines of control/filters: programs that mail from the network goes through before qmail-queue. The
// word "all" behind a name says that mail of clients who are known goes through it too.
type Filters []string

// Filters reads them.
func (d Dir) Filters() (Filters, error) {
	lines, _, err := d.List("filters")
	return lines, err
}

// After returns the filter that stands behind one, and the first one behind none; empty: mail goes to qmail-queue.
func (f Filters) After(name string, known bool) string {
	past := name == ""
	for _, l := range f {
		program, who := Word(l)
		if past && (!known || who == "all") {
			return program
		}
		past = past || program == name
	}
	return ""
}

// Word returns the first word of a line, and what follows the blanks behind it.
func Word(line string) (word, rest string) {
	end := 0
	for end < len(line) && !blank(line[end]) {
		end++
	}
	word, rest = line[:end], line[end:]
	for rest != "" && blank(rest[0]) {
		rest = rest[1:]
	}
	return word, rest
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// Lines parses the bytes of a list file.
func Lines(b []byte) []string {
	var list []string
	for l := range bytes.Lines(b) {
		if l = Trim(l); len(l) > 0 && l[0] != '#' {
			list = append(list, string(l))
		}
	}
	return list
}

// Trim returns a line without what is no part of it: white space at its end, and the CR that an editor of another
// system leaves there.
func Trim(line []byte) []byte { return bytes.TrimRight(line, " \t\r\n") }

// Ends reports whether lines of b end in white space, and in a CR, both of which the readers pass over.
func Ends(b []byte) (space, cr bool) {
	for l := range bytes.Lines(b) {
		tail := l[len(Trim(l)):]
		space = space || bytes.ContainsAny(tail, " \t")
		cr = cr || bytes.IndexByte(tail, '\r') >= 0
	}
	return space, cr
}

// A Set holds the lines of a list file; case does not matter.
type Set map[string]struct{}

// NewSet makes a Set of lines.
func NewSet(lines []string) Set {
	s := make(Set, len(lines))
	for _, l := range lines {
		s[ascii.LowerString(l)] = struct{}{}
	}
	return s
}

// Has reports whether key is in the set, case aside.
func (s Set) Has(key string) bool {
	_, ok := s[ascii.LowerString(key)]
	return ok
}

// A Map holds the lines of a file of "key:value" lines; the case of keys does not matter.
type Map map[string]string

// NewMap makes a Map of lines. The first of several lines with one key counts; a line without a colon is
// not an entry.
func NewMap(lines []string) Map {
	m := make(Map, len(lines))
	for _, l := range lines {
		for i := 0; i < len(l); i++ {
			if l[i] != ':' {
				continue
			}
			k := ascii.LowerString(l[:i])
			if _, ok := m[k]; !ok {
				m[k] = l[i+1:]
			}
			break
		}
	}
	return m
}

// Get returns the value of key, case aside.
func (m Map) Get(key string) (value string, ok bool) {
	value, ok = m[ascii.LowerString(key)]
	return value, ok
}

// GetHost looks up host, then each suffix of it that begins with a dot, longest first, then
// the empty key.
func (m Map) GetHost(host string) (value string, ok bool) {
	host = ascii.LowerString(host)
	for i := 0; i <= len(host); i++ {
		if i == 0 || i == len(host) || host[i] == '.' {
			if value, ok = m[host[i:]]; ok {
				return value, true
			}
		}
	}
	return "", false
}
