// Package entries is users/auth and the constant database that qmail-newauth makes of it: who may log in, and what is
// kept of each password.
package entries

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"strconv"

	"qmail/internal/auth/password"
	"qmail/internal/auth/scram"
	"qmail/internal/text/ascii"
	"qmail/internal/text/cdb"
)

// maxLine bounds a line of users/auth.
const maxLine = 4096

// secretSize is how long the secret for names that are not there is.
const secretSize = 32

// A LineError is a line of users/auth that is wrong.
type LineError struct {
	Line int
	Why  string
}

func (e *LineError) Error() string { return "line " + strconv.Itoa(e.Line) + ": " + e.Why }

// IsName reports whether s can be the name of a line: no colon, no blank at an end, no number sign at the beginning.
func IsName[S string | []byte](s S) bool {
	if !password.Sound(s, password.MaxName) || s[0] == ' ' || s[0] == '#' || s[len(s)-1] == ' ' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return false
		}
	}
	return true
}

// Line returns the line of users/auth for a name.
func Line(name string, k scram.Key) []byte { return []byte(name + ":" + k.String() + "\n") }

// scan hands each line of users/auth to fn, and what of it is a name, which comments and empty lines have not.
func scan(text io.Reader, fn func(line, name, entry []byte) error) error {
	r := bufio.NewReaderSize(text, maxLine)
	names := map[string]bool{}
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return &LineError{n, "longer than " + strconv.Itoa(maxLine) + " bytes"}
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		bare := bytes.TrimRight(line, " \t\r\n")
		if len(bare) == 0 || bare[0] == '#' {
			if err := fn(line, nil, nil); err != nil {
				return err
			}
			continue
		}
		name, entry, ok := bytes.Cut(bare, []byte(":"))
		if !ok || !IsName(name) {
			return &LineError{n, "not NAME:SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER"}
		}
		if _, err := scram.Parse(entry); err != nil {
			return &LineError{n, "not NAME:SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER"}
		}
		key := ascii.LowerString(string(name))
		if names[key] {
			return &LineError{n, "a second line for this name"}
		}
		names[key] = true
		if err := fn(line, name, entry); err != nil {
			return err
		}
	}
}

// Edit copies users/auth from old to w with line in the place of that of name, or at the end where there is none; with
// no line, the name is removed. found reports whether the name was there.
func Edit(w io.Writer, old io.Reader, name string, line []byte) (found bool, err error) {
	ended := true
	err = scan(old, func(have, who, _ []byte) error {
		if who != nil && ascii.LowerString(string(who)) == ascii.LowerString(name) {
			found = true
			have = line
		}
		if len(have) > 0 {
			ended = have[len(have)-1] == '\n'
		}
		_, err := w.Write(have)
		return err
	})
	if err == nil && !ended {
		_, err = w.Write([]byte{'\n'})
	}
	if err == nil && !found {
		_, err = w.Write(line)
	}
	return found, err
}

// Build adds what users/auth says to a constant database, and the secret by which names that are not there are
// answered: that of the database before, or a new one. An error of a line is a *LineError.
func Build(text io.Reader, secret []byte, add func(key, value []byte) error) error {
	if len(secret) != secretSize {
		secret = make([]byte, secretSize)
		rand.Read(secret)
	}
	if err := add(nil, secret); err != nil {
		return err
	}
	return scan(text, func(_, name, entry []byte) error {
		if name == nil {
			return nil
		}
		key := bytes.Clone(name)
		ascii.Lower(key)
		return add(key, entry)
	})
}

// Secret returns the secret of the database at path, or nil where there is none.
func Secret(path string) []byte {
	db, f, err := cdb.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	secret, _, err := db.Find(nil)
	if err != nil {
		return nil
	}
	return secret
}

// Find returns the key of a name in the database at path, and the name as it is there. ok is false where the name is
// not there; the key is then one that no password fits. Any error says nothing about the name; fs.ErrNotExist is one.
func Find(path, name string) (user string, k scram.Key, ok bool, err error) {
	db, f, err := cdb.Open(path)
	if err != nil {
		return "", scram.Key{}, false, err
	}
	defer f.Close()
	secret, ok, err := db.Find(nil)
	if err != nil || !ok || len(secret) != secretSize {
		return "", scram.Key{}, false, &fs.PathError{Op: "read", Path: path, Err: errors.Join(cdb.ErrDamaged, err)}
	}
	user = ascii.LowerString(name)
	entry, ok, err := db.Find([]byte(user))
	switch {
	case err != nil:
		return "", scram.Key{}, false, &fs.PathError{Op: "read", Path: path, Err: err}
	case !ok || user == "":
		return user, scram.Unknown(secret, user), false, nil
	}
	if k, err = scram.Parse(entry); err != nil {
		return "", scram.Key{}, false, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return user, k, true, nil
}
