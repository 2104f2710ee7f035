// Qmail-authd answers the sessions in which users log in; see qmail-authd(8).
//
//	uid   root: makes the socket, then becomes qmailp; where programs check passwords or tokens, it stays root,
//	      starts itself as qmailp, and runs those programs for it
//	fd 2  a line for each login that was tried
//	fd 3  of the one that answers: the listening socket
//	fd 4  and its packet socket to the one that runs programs
//	exec  itself as qmailp; control/authcheck as root, control/oauthcheck as qmailp
//	exit  111 when it cannot start, or its other half is gone; else never
package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"qmail/conf"
	"qmail/internal/auth/authd"
	"qmail/internal/auth/authproto"
	"qmail/internal/auth/check"
	"qmail/internal/auth/entries"
	"qmail/internal/auth/scram"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

// answering begins the name under which this program answers and starts nothing; behind it stands what is checked by
// programs.
const answering = "qmail-authd answering"

func main() {
	proc.Begin()
	proc.Help("qmail-authd: usage: qmail-authd")
	if err := sys.NotDumpable(); err != nil {
		die("unable to hide from debuggers: " + sys.Reason(err))
	}
	ids, err := passwd.QmailIDs()
	if err != nil {
		die("unable to find the accounts of qmail: " + err.Error())
	}
	if kinds, ok := strings.CutPrefix(os.Args[0], answering); ok {
		socket, err := sys.Polled(proc.FD(4, "programs"))
		if err != nil {
			die("unable to use descriptor 4: " + sys.Reason(err))
		}
		l, err := sys.NewListener(3)
		if err != nil {
			die("unable to use descriptor 3: " + sys.Reason(err))
		}
		answer(l, check.NewClient(socket), kinds, ids.Daemon)
	}
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	l, lock := listen(ids.Daemon)
	defer lock.Close() // nothing returns: it is held until the process ends
	as := priv.ID{UID: ids.Passwd, GID: ids.NoFiles}
	programs := map[check.Kind]check.Program{}
	kinds := command("authcheck", check.Password, programs, priv.ID{}) + command("oauthcheck", check.Token, programs, as)
	if len(programs) > 0 {
		run(l, kinds, as, programs)
	}
	if err := priv.Become(as); err != nil {
		die("unable to become " + conf.UserNames().Passwd + ": " + err.Error())
	}
	answer(l, nil, "", ids.Daemon)
}

// listen makes the socket, for qmaild to connect to, and the lock that keeps others from it.
func listen(uid int) (*sys.Listener, *os.File) {
	name, _, err := control.Default().Text("authsocket")
	if err != nil {
		die("unable to read control/authsocket: " + sys.Reason(err))
	}
	path := authproto.Path(conf.Home(), name)
	sys.Umask(0o077)
	lock, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = sys.TryLock(lock)
	}
	if err != nil {
		die("unable to lock " + path + ".lock: is another one running? " + sys.Reason(err))
	}
	l, err := sys.ListenLocal(path, 0o600)
	if err == nil {
		err = os.Chown(path, uid, -1)
	}
	if err != nil {
		die("unable to listen at " + path + ": " + sys.Reason(err))
	}
	return l, lock
}

// command reads the command line of a program, and returns its kind where there is one.
func command(file string, kind check.Kind, programs map[check.Kind]check.Program, as priv.ID) string {
	lines, _, err := control.Default().List(file)
	if err != nil {
		die("unable to read control/" + file + ": " + sys.Reason(err))
	}
	if len(lines) == 0 {
		return ""
	}
	if len(lines) > 1 {
		die("control/" + file + " has more than one program")
	}
	args := strings.FieldsFunc(lines[0], func(c rune) bool { return c == ' ' || c == '\t' })
	programs[kind] = check.Program{Args: args, As: &as}
	return string(kind)
}

// answer is what qmailp does.
func answer(l *sys.Listener, programs *check.Client, kinds string, daemon int) {
	users := filepath.Join(conf.Home(), "users")
	if err := sandbox.Enter(sandbox.Rights{Read: []string{users}}); err != nil {
		die("unable to give up rights: " + err.Error())
	}
	path := filepath.Join(users, "auth.cdb")
	s := &authd.Server{
		Keys:  func(name string) (string, scram.Key, bool, error) { return entries.Find(path, name) },
		Have:  func() bool { _, err := os.Stat(path); return !errors.Is(err, fs.ErrNotExist) },
		Check: programs, Checked: strings.Contains(kinds, string(check.Password)),
		Tokens: strings.Contains(kinds, string(check.Token)),
		Peers:  []int{daemon, 0}, Pid: os.Getpid(),
		Say: func(address string, pid int, text, user string) {
			peerlog.New(os.Stderr, "qmail-authd", address, pid).Say(text, "user", user)
		},
	}
	if programs != nil {
		go func() { <-programs.Gone(); proc.Exit(exit.Temp) }()
	}
	die("unable to accept: " + sys.Reason(s.Serve(l)))
}

func die(text string) { proc.Die(exit.Temp, "qmail-authd: fatal: "+text) }
