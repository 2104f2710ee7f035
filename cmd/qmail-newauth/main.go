// Qmail-newauth makes users/auth.cdb of users/auth: who may log in. See qmail-newauth(8).
//
//	uid   root    exec  nothing
//	fd 0  a password, where -a reads one    fd 2  what went wrong, and questions
//	args  none; -a NAME sets the password of a name first, -d NAME removes it
//	exit  0 when the new files are in place and on disk; 100 for wrong arguments; 111 else, with the old ones kept
//
// It writes users/auth.cdb.tmp first and leaves it behind when it fails. Only qmailp, and root, can read the result.
package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"

	"qmail/conf"
	"qmail/internal/auth/entries"
	"qmail/internal/auth/scram"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/cdb"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const (
	folder = "users"
	text   = "users/auth"
	tmp    = "users/auth.cdb.tmp"
	target = "users/auth.cdb"
)

func main() {
	proc.Begin()
	options := getopt.New("qmail-newauth", os.Args[1:], "a:d:")
	var name string
	var line []byte
	edits := options.Next()
	if edits {
		name = options.Value
		if !entries.IsName(name) {
			proc.Die(exit.Perm, "qmail-newauth: fatal: a name has no colon, no control character and no blank at an end, "+
				"does not begin with #, and has 1 to 255 bytes")
		}
	}
	letter := options.Letter
	if options.Next() || options.Mistake != "" || len(options.Rest()) > 0 {
		proc.Die(exit.Perm, "qmail-newauth: usage: qmail-newauth [ -a name | -d name ]")
	}
	if edits && letter == 'a' {
		key, err := scram.NewKey(ask(name))
		if err != nil {
			die("unable to use this password: it is empty, has more than 1024 bytes, or a control character")
		}
		line = entries.Line(name, key)
	}
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	sys.Umask(0o077)
	// Of two that run at once, each must see what the other did.
	lock, err := os.Open(folder)
	if err == nil {
		err = sys.Lock(lock)
	}
	if err != nil {
		die("unable to lock " + folder + ": " + sys.Reason(err))
	}
	if edits {
		edit(name, line)
	}
	build()
	proc.Exit(exit.OK)
}

// edit puts line in the place of that of name in users/auth; no line: removes it.
func edit(name string, line []byte) {
	old, err := os.ReadFile(text)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		die("unable to read " + text + ": " + sys.Reason(err))
	}
	var b bytes.Buffer
	found, err := entries.Edit(&b, bytes.NewReader(old), name, line)
	if err != nil {
		bad(err)
	}
	if line == nil && !found {
		die("no " + name + " in " + text)
	}
	f, err := renameio.NewPendingFile(text, renameio.WithTempDir(folder), renameio.WithStaticPermissions(0o600))
	if err == nil {
		defer f.Cleanup()
		if _, err = f.Write(b.Bytes()); err == nil {
			err = f.CloseAtomicallyReplace()
		}
	}
	if err == nil {
		err = sys.SyncDir(folder)
	}
	if err != nil {
		die("unable to write " + text + ": " + sys.Reason(err))
	}
}

// build makes the database.
func build() {
	ids, err := passwd.QmailIDs()
	if err != nil {
		die("unable to find the accounts of qmail: " + err.Error())
	}
	f, err := os.Open(text)
	if err != nil {
		die("unable to open " + text + ": " + sys.Reason(err))
	}
	os.Remove(tmp)
	db, err := cdb.CreatePrivate(tmp)
	if err != nil {
		die("unable to write to " + tmp + ": " + sys.Reason(err))
	}
	if err := entries.Build(f, entries.Secret(target), db.Add); err != nil {
		db.Abort()
		bad(err)
	}
	if err := os.Chown(tmp, ids.Passwd, 0); err != nil {
		die("unable to chown " + tmp + ": " + sys.Reason(err))
	}
	if err := os.Chmod(tmp, 0o400); err != nil {
		die("unable to chmod " + tmp + ": " + sys.Reason(err))
	}
	if err := db.Commit(target); err != nil {
		die("unable to write " + target + ": " + sys.Reason(err))
	}
}

func bad(err error) {
	if e, ok := errors.AsType[*entries.LineError](err); ok {
		die(text + ", " + e.Error())
	}
	die("unable to read " + text + " or to write what is made of it: " + sys.Reason(err))
}

func die(text string) { proc.Die(exit.Temp, "qmail-newauth: fatal: "+text) }
