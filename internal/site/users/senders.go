package users

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"qmail/internal/text/ascii"
	"qmail/internal/text/cdb"
)

// SendersFile returns the path of users/senders.cdb below a qmail home.
func SendersFile(home string) string { return filepath.Join(home, Folder, "senders.cdb") }

// BuildSenders reads users/senders, lines LOGIN:ADDRESS:ADDRESS..., and adds its entries to a constant database.
// ErrFormat is a fault of the input's contents; an error in reading is an *InputError; any other comes from the Adder.
func BuildSenders(text io.Reader, db Adder) error {
	r := bufio.NewReaderSize(text, maxLine)
	seen := map[string]bool{}
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return ErrFormat
		}
		if err != nil && err != io.EOF {
			return &InputError{err}
		}
		end := err == io.EOF
		if line = bytes.TrimRight(line, " \t\r\n"); len(line) > 0 && line[0] != '#' {
			ascii.Lower(line)
			login, addresses, ok := bytes.Cut(line, []byte{':'})
			if !ok || len(login) == 0 || seen[string(login)] || ascii.HasControl(string(line)) {
				return ErrFormat
			}
			seen[string(login)] = true
			if err := db.Add(login, addresses); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// Senders says who may send from which addresses.
type Senders struct {
	Path   string                   // of users/senders.cdb
	Locals func() ([]string, error) // the domains of this machine
}

// May reports whether a login may send from an address: one that users/senders has by what is there, addresses,
// @domain for all of a domain and * for all; any other as itself with any extension, with its own domain or, where it
// has none, with those of this machine.
func (s Senders) May(login, address string) (bool, error) {
	login, address = ascii.LowerString(login), ascii.LowerString(address)
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || login == "" {
		return false, nil
	}
	list, ok, err := s.entry(login)
	if err != nil {
		return false, err
	}
	if ok {
		for a := range strings.SplitSeq(list, ":") {
			if a == "*" || a == address || a != "" && a[0] == '@' && a == address[at:] {
				return true, nil
			}
		}
		return false, nil
	}
	name := login
	if i := strings.LastIndexByte(login, '@'); i >= 0 {
		if name = login[:i]; login[i:] != address[at:] {
			return false, nil
		}
	} else {
		domains, err := s.Locals()
		if err != nil {
			return false, err
		}
		ours := false
		for _, d := range domains {
			ours = ours || ascii.Equal(d, address[at+1:])
		}
		if !ours {
			return false, nil
		}
	}
	local := address[:at]
	return name != "" && (local == name || strings.HasPrefix(local, name+"-")), nil
}

func (s Senders) entry(login string) (list string, ok bool, err error) {
	db, f, err := cdb.Open(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	v, ok, err := db.Find([]byte(login))
	return string(v), ok, err
}
