package users

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"qmail/internal/text/ascii"
)

// maxLine bounds a line of users/assign, so that every entry made from one can be read back.
const maxLine = 32 << 10

// ErrFormat says that users/assign is not what it must be: lines of at least seven fields with
// a colon after each, and a line that begins with a dot as the last one.
var ErrFormat = errors.New("bad format")

// An Adder takes the records of users/cdb.
type Adder interface {
	Add(key, value []byte) error
}

// Build reads users/assign and adds its entries to a constant database, and as the last record the
// bytes that wildcards end in. ErrFormat is a fault of the input's contents; an error in reading is an
// *InputError; any other comes from the Adder.
func Build(assign io.Reader, db Adder) error {
	r := bufio.NewReaderSize(assign, maxLine)
	var wildchars []byte
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return ErrFormat
		}
		if err != nil && err != io.EOF {
			return &InputError{err}
		}
		if len(line) > 0 && line[0] == '.' {
			return db.Add(nil, wildchars)
		}
		if err == io.EOF {
			return ErrFormat
		}
		key, value, ok := entry(line)
		if !ok {
			return ErrFormat
		}
		if line[0] == '+' && len(key) > 1 && bytes.IndexByte(wildchars, key[len(key)-1]) < 0 {
			wildchars = append(wildchars, key[len(key)-1])
		}
		if err := db.Add(key, value); err != nil {
			return err
		}
	}
}

// An InputError is trouble with reading, not with what was read.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// entry makes a record of a line. A line that begins with + is a wildcard, any other an exact address. Fields
// after the seventh are ignored.
func entry(line []byte) (key, value []byte, ok bool) {
	name, rest, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 || bytes.IndexByte(line, 0) >= 0 {
		return nil, nil, false
	}
	key = append(key, '!')
	key = append(key, name[1:]...)
	ascii.Lower(key)
	if name[0] != '+' {
		key = append(key, 0)
	}
	for n := range fields {
		field, after, ok := bytes.Cut(rest, []byte{':'})
		if !ok {
			return nil, nil, false
		}
		if n > 0 {
			value = append(value, 0)
		}
		value = append(value, field...)
		rest = after
	}
	return key, value, true
}
