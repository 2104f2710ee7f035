// Qmail-newrcpt makes users/recipients.cdb, by which a server of SMTP knows who has a mailbox; see qmail-newrcpt(8).
//
//	uid   root            exec  nothing
//	fd 2  what went wrong
//	exit  0 when the new file is in place and on disk; 111 else, with the old one kept
//
// It writes users/recipients.cdb.tmp first and leaves it behind when it fails. Of homes it reads names alone, and is
// led nowhere by a link that another user can have made.
package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/mailboxes"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/cdb"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-newrcpt: usage: qmail-newrcpt")
	if err := proc.Chdir(conf.Home()); err != nil {
		die(err)
	}
	sys.Umask(0o077)
	ids, err := passwd.QmailIDs()
	if err != nil {
		die(err)
	}
	target := mailboxes.File(conf.Home())
	tmp := target + ".tmp"
	db, err := cdb.CreatePrivate(tmp)
	if err != nil {
		die(err)
	}
	err = write(db, conf.Home())
	if err == nil { // what extensions users have is nobody's business but the servers'
		err = errors.Join(os.Chown(tmp, 0, ids.NoFiles), os.Chmod(tmp, 0o640))
	}
	if err != nil {
		db.Abort()
		die(err)
	}
	if err := db.Commit(target); err != nil {
		die(err)
	}
	proc.Exit(exit.OK)
}

// write writes all there is to know.
func write(db *cdb.Writer, home string) error {
	dir := control.Default()
	s := newSurvey(filepath.Join(home, "users", "assign"))
	for _, name := range mailboxes.ControlFiles() {
		s.sources = append(s.sources, filepath.Join(string(dir), name))
	}
	stamps := s.stamps()
	m := mailboxes.Maker{To: db, Control: dir, Sources: s.sources}
	if err := m.Begin(stamps, others("")); err != nil {
		return err
	}
	var failed error
	err := passwd.Each(func(e passwd.Entry) {
		failed = errors.Join(failed, m.Account(mailboxes.Account{Name: e.Name, UID: e.UID, Home: e.Home}))
		if e.UID != 0 {
			s.homes[e.Home] = append(s.homes[e.Home], e.UID)
		}
		if e.Name == conf.UserNames().Alias {
			failed = errors.Join(failed, m.Alias(e.Home))
			s.alias = e.Home
			s.homes[e.Home] = append(s.homes[e.Home], -1)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if err := s.assigned(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.visit(time.Now, m.Home)
}

func die(err error) { proc.Die(exit.Temp, "qmail-newrcpt: fatal: "+sys.Reason(err)) }
