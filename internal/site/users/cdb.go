package users

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"qmail/internal/text/ascii"
	"qmail/internal/text/cdb"
)

// Folder is the folder below the qmail home that holds assign and cdb.
const Folder = "users"

// File returns the path of users/cdb below a qmail home.
func File(home string) string { return filepath.Join(home, Folder, "cdb") }

// Lookup asks users/cdb who gets the mail for a local part. Neither a missing file nor a missing
// entry is an error: ok is false, and qmail-getpw is to be asked. Any error says
// nothing about the address.
func Lookup(path, local string) (u User, ok bool, err error) {
	db, f, err := cdb.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, err
	}
	defer f.Close()
	u, ok, err = find(db, local)
	if err != nil {
		return User{}, false, fmt.Errorf("%s: %w", path, err)
	}
	return u, ok, nil
}

// find looks for the whole local part, then for the wildcards that it begins with, longest first. Only
// prefixes that end in one of the bytes of the record with the empty key can be wildcards.
func find(db *cdb.Reader, local string) (User, bool, error) {
	key := append([]byte("!"), local...)
	ascii.Lower(key)
	value, ok, err := db.Find(append(key, 0))
	if err != nil {
		return User{}, false, err
	}
	if ok {
		return record(value, "")
	}
	wildchars, ok, err := db.Find(nil)
	if err != nil {
		return User{}, false, err
	}
	if !ok {
		return User{}, false, cdb.ErrDamaged
	}
	for n := len(key); n > 0; n-- {
		if n > 1 && bytes.IndexByte(wildchars, key[n-1]) < 0 {
			continue
		}
		value, ok, err := db.Find(key[:n])
		if err != nil {
			return User{}, false, err
		}
		if ok {
			return record(value, local[n-1:])
		}
	}
	return User{}, false, nil
}

// record reads the value of an entry: the six strings with a NUL between them. Rest is what the address
// has after the wildcard, in its own case.
func record(value []byte, rest string) (User, bool, error) {
	b := append([]byte(nil), value...)
	b = append(b, rest...)
	u, err := ParseUser(append(b, 0))
	return u, err == nil, err
}
