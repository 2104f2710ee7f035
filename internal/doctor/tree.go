package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/tls/chain"
)

func accountsAre(s *Site, say sayer) {
	command := "sed -n '/useradd/p' " + s.Home + "/doc/INSTALL.ids.md"
	for _, n := range s.accounts.MissingUsers {
		say(Fault, "The user "+n+" does not exist.", command)
	}
	for _, n := range s.accounts.MissingGroups {
		say(Fault, "The group "+n+" does not exist.", command)
	}
	if s.accounts.NoKeys && len(chain.All(s.control())) > 0 {
		say(Warning, "There are certificates, but "+hier.KeysOff()+".", command)
	}
}

func uidsDiffer(s *Site, say sayer) {
	u := conf.UserNames()
	of := map[int]string{}
	for _, n := range []string{u.Root, u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send, u.Key} {
		id, known := s.accounts.UIDs[n]
		if other := of[id]; known && other != "" {
			say(Fault, fmt.Sprintf("The users %s and %s are both number %d: each could do what the other may.", other, n, id),
				"usermod -u NUMBER "+n)
		}
		if known {
			of[id] = n
		}
	}
}

// treeIsThere looks at the folders that are not the queue's.
func treeIsThere(s *Site, say sayer) {
	for _, name := range []string{"", "alias", "bin", "control", "users", "boot"} {
		path := s.path(name)
		fi, err := os.Stat(path)
		switch {
		case err != nil:
			say(Fault, "The folder "+s.shown(path)+" cannot be used: "+sys.Reason(err)+".", "make setup")
		case !fi.IsDir():
			say(Fault, s.shown(path)+" is no folder.", "mv "+s.shown(path)+" "+s.shown(path)+".was && make setup")
		case fi.Mode().Perm()&0o002 != 0, fi.Mode().Perm()&0o020 != 0 && name != "alias":
			say(Fault, "Others than its owner may write in "+s.shown(path)+".", "chmod go-w "+s.shown(path))
		}
	}
}

func programsAre(s *Site, say sayer) {
	u := conf.UserNames()
	for _, name := range hier.Binaries() {
		path := s.path("bin", name)
		fi, err := os.Stat(path)
		switch {
		case err != nil && name == "qmail-key" && s.accounts.NoKeys:
		case err != nil:
			say(Fault, "The program "+name+" is missing.", "make setup")
		case fi.Mode().Perm()&0o100 == 0:
			say(Fault, "The program "+name+" cannot be executed.", "make setup")
		case fi.Mode().Perm()&0o022 != 0:
			say(Fault, "Others than its owner may write to the program "+name+".", "chmod go-w "+s.shown(path))
		case name == "qmail-queue" && fi.Mode().IsRegular():
			link, err := os.Lstat(path)
			uid, _ := sys.Owner(fi)
			if err == nil && link.Mode().IsRegular() &&
				(fi.Mode()&fs.ModeSetuid == 0 || uid != s.accounts.UIDs[u.Queue]) {
				say(Fault, "The program qmail-queue is not set-uid "+u.Queue+": nobody can queue mail.",
					"chown "+u.Queue+" "+s.shown(path)+" && chmod 4711 "+s.shown(path))
			}
		}
	}
}

// queueIs looks at each entry of the queue's tree.
func queueIs(s *Site, say sayer) {
	bad, first, why := 0, "", ""
	note := func(e hier.Entry, text string) {
		if bad++; bad == 1 {
			first, why = filepath.Join(s.Home, e.Path), text
		}
	}
	for _, e := range hier.Queue() {
		fi, err := os.Lstat(s.path(e.Path))
		switch {
		case os.IsPermission(err):
			continue // we are nobody who may look
		case err != nil:
			note(e, sys.Reason(err))
		case fi.Mode().Type() != e.Kind.Type():
			note(e, "is of another kind")
		case e.Kind != hier.Data && fi.Mode().Perm() != e.Mode.Perm():
			note(e, "has mode "+strconv.FormatUint(uint64(fi.Mode().Perm()), 8))
		default:
			if uid, _ := sys.Owner(fi); uid != s.accounts.UIDs[e.Owner] {
				note(e, "belongs to user number "+strconv.Itoa(uid)+" and not to "+e.Owner)
			}
		}
	}
	if bad > 0 {
		more := ""
		if bad > 1 {
			more = " (and " + strconv.Itoa(bad-1) + " more)"
		}
		say(Fault, "The queue is not as it should be: "+first+": "+why+more+".", "queue-fix "+s.Home+"/queue")
	}
	split := strconv.FormatUint(conf.Split(), 10)
	if exists(s.path("queue/mess", split)) {
		say(Fault, "The queue was made for another conf-split than "+split+".", "queue-fix -f "+s.Home+"/queue")
	}
}

// sendCanStart looks at what qmail-send needs before it begins, and at nothing else.
func sendCanStart(s *Site, say sayer) {
	setup := "make setup"
	for _, name := range []string{"bin/qmail-send", "bin/qmail-lspawn", "bin/qmail-rspawn", "bin/qmail-clean"} {
		if fi, err := os.Stat(s.path(name)); err != nil {
			say(Fault, "qmail cannot start: "+s.Home+"/"+name+": "+sys.Reason(err)+".", setup)
		} else if fi.Mode().Perm()&0o111 == 0 {
			say(Fault, "qmail cannot start: "+s.Home+"/"+name+" cannot be executed.", setup)
		}
	}
	for _, name := range []string{"queue", "queue/mess", "queue/lock/sendmutex", "queue/lock/trigger"} {
		fi, err := os.Stat(s.path(name))
		if err != nil && !os.IsPermission(err) {
			say(Fault, "qmail-send cannot start: "+s.Home+"/"+name+": "+sys.Reason(err)+".", "queue-fix "+s.Home+"/queue")
		} else if err == nil && name == "queue/lock/trigger" && fi.Mode()&fs.ModeNamedPipe == 0 {
			say(Fault, "qmail-send cannot start: "+s.Home+"/"+name+" is no FIFO.", "queue-fix "+s.Home+"/queue")
		}
	}
	for _, f := range control.Files() {
		if !strings.Contains(f.Readers, "qmail-send") {
			continue
		}
		path := s.path("control", f.Name)
		_, _, err := s.control().Raw(f.Name)
		if fi, statErr := os.Stat(path); err == nil && statErr == nil && fi.Mode().Perm()&0o004 == 0 {
			err = fs.ErrPermission
		}
		if err != nil {
			say(Fault, "qmail-send cannot start: "+s.shown(path)+": "+sys.Reason(err)+".", "chmod 644 "+s.shown(path))
		}
	}
}
