package users

import (
	"errors"
	"io"
	"os"

	"qmail/internal/text/cdb"
)

// Make makes the database target of the text source by build, and has it on disk and in place when it returns nil. Else
// the old one is kept, what was written is left in target.tmp, and the error is what to tell the administrator.
func Make(source, target string, build func(text io.Reader, db Adder) error) error {
	tmp := target + ".tmp"
	f, err := os.Open(source)
	if err != nil {
		return errors.New("unable to open " + source)
	}
	defer f.Close()
	db, err := cdb.Create(tmp)
	if err != nil {
		return errors.New("unable to open " + tmp)
	}
	if err := build(f, db); err != nil {
		db.Abort()
		if _, ok := errors.AsType[*InputError](err); ok {
			return errors.New("unable to read " + source)
		}
		if err == ErrFormat {
			return errors.New("bad format in " + source)
		}
		return errors.New("unable to write to " + tmp)
	}
	if err := db.Commit(target); err != nil {
		if _, ok := errors.AsType[*os.LinkError](err); ok {
			return errors.New("unable to move " + tmp + " to " + target)
		}
		return errors.New("unable to write to " + tmp)
	}
	return nil
}
