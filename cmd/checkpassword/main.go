// Checkpassword checks the name and password of a user of this machine, and becomes that user; see checkpassword(8).
//
//	uid   root, then the user    exec  its arguments, as the user in the home directory
//	fd 3  name, password and time stamp, each with a NUL behind it; at most 2048 bytes
//	fd 2  what went wrong here, never the password
//	args  program, its arguments
//	env   sets USER, HOME, SHELL
//	exit  1 if it is not the user; 2 if it was called wrongly; 111 if it cannot tell, or the program cannot run;
//	      else what the program says
package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"qmail/internal/auth/crypt"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
)

const (
	// no says that it is not the user, misused that descriptor 3 or the arguments are not as they must be.
	no, misused exit.Code = 1, 2
	// maxLogin bounds what is read.
	maxLogin = 2048
	// day is in seconds.
	day = 24 * 60 * 60
)

func main() {
	proc.Begin()
	proc.Help("checkpassword: usage: checkpassword program [ arg ... ]")
	if err := sys.NotDumpable(); err != nil {
		die("unable to hide from debuggers: " + sys.Reason(err))
	}
	if len(os.Args) < 2 {
		proc.Die(misused, "checkpassword: usage: checkpassword program [ arg ... ]")
	}
	in := proc.FD(3, "login")
	login, err := io.ReadAll(io.LimitReader(in, maxLogin+1))
	if err != nil {
		proc.Die(misused, "checkpassword: unable to read descriptor 3: "+sys.Reason(err))
	}
	in.Close()
	if len(login) > maxLogin {
		proc.Exit(no)
	}
	f := bytes.SplitN(login, []byte{0}, 4)
	if len(f) != 4 {
		proc.Die(misused, "checkpassword: descriptor 3 has no name, password and time stamp")
	}
	user, ok := check(string(f[0]), f[1])
	clear(login)
	if !ok {
		proc.Exit(no)
	}
	become(user)
}

// check returns the user whose name and password these are. As much is done for a name that is not there, or may not
// log in, as for a wrong password: the last hash of /etc/shadow stands in for the missing one.
func check(name string, password []byte) (passwd.Entry, bool) {
	user, err := passwd.Lookup(name)
	if err != nil && !errors.Is(err, passwd.ErrUnknown) {
		die("unable to read /etc/passwd: " + sys.Reason(err))
	}
	known := err == nil && user.UID != 0
	usual := ""
	entry, err := passwd.LookupShadow("", name, func(hash string) {
		if crypt.Known(hash) {
			usual = hash
		}
	})
	if err != nil && !errors.Is(err, passwd.ErrUnknown) {
		die("unable to read /etc/shadow: " + sys.Reason(err))
	}
	known = known && err == nil && (entry.Expires == 0 || time.Now().Unix() < int64(entry.Expires)*day)
	hash := entry.Hash
	if !known || !crypt.Known(hash) {
		hash, known = usual, false
	}
	return user, crypt.Check(hash, password) && known
}

// become becomes the user, and the program of the arguments.
func become(user passwd.Entry) {
	if err := priv.Become(priv.ID{UID: user.UID, GID: user.GID}); err != nil {
		die("unable to become " + user.Name + ": " + err.Error())
	}
	if err := os.Chdir(user.Home); err != nil {
		die("unable to enter the home of " + user.Name + ": " + sys.Reason(err))
	}
	env := environ.With(os.Environ(), "USER="+user.Name, "HOME="+user.Home, "SHELL="+user.Shell)
	path, err := proc.Look(os.Args[1], env)
	if err == nil {
		err = proc.Exec(path, os.Args[1:], env)
	}
	die("unable to run " + os.Args[1] + ": " + sys.Reason(err))
}

func die(text string) { proc.Die(exit.Temp, "checkpassword: fatal: "+text) }
