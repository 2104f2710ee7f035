// Package rcpthosts says for which hosts this machine accepts mail: control/rcpthosts, and
// the constant database that qmail-newmrh makes of control/morercpthosts.
package rcpthosts

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/text/cdb"
)

const (
	listFile = "rcpthosts"
	moreFile = "morercpthosts.cdb"
	// maxLine bounds a line of control/morercpthosts.
	maxLine = 64 << 10
)

// Hosts are the hosts that mail is accepted for.
type Hosts struct {
	all  bool
	list control.Set
	db   *cdb.Reader
	file *os.File
}

// Open reads control/rcpthosts. Without that file every host is accepted. The caller closes the Hosts.
func Open(dir control.Dir) (*Hosts, error) {
	lines, ok, err := dir.List(listFile)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &Hosts{all: true}, nil
	}
	h := &Hosts{list: control.NewSet(lines)}
	h.db, h.file, err = cdb.Open(filepath.Join(string(dir), moreFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return h, nil
}

// Close closes the database.
func (h *Hosts) Close() {
	if h.file != nil {
		h.file.Close()
	}
}

// Accepts reports whether mail for an address is accepted: its host, or a suffix of that which
// begins with a dot, is in one of the two files. An address without @ is this machine's own.
// An error says nothing about the address.
func (h *Hosts) Accepts(addr string) (bool, error) {
	at := strings.LastIndexByte(addr, '@')
	if h.all || at < 0 {
		return true, nil
	}
	host := []byte(addr[at+1:])
	ascii.Lower(host)
	for i := range host {
		if i > 0 && host[i] != '.' {
			continue
		}
		if h.list.Has(string(host[i:])) {
			return true, nil
		}
	}
	if h.db == nil {
		return false, nil
	}
	for i := range host {
		if i > 0 && host[i] != '.' {
			continue
		}
		if _, ok, err := h.db.Find(host[i:]); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Build adds each line of control/morercpthosts to a constant database: the host folded, without a
// value. Empty lines and lines that begin with # are left out. An error in reading is an *InputError.
func Build(list io.Reader, add func(key, value []byte) error) error {
	r := bufio.NewReaderSize(list, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return &InputError{err}
		}
		line = control.Trim(line)
		if len(line) > 0 && line[0] != '#' {
			ascii.Lower(line)
			if err := add(line, nil); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// An InputError is trouble with reading control/morercpthosts.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }
