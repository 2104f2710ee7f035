// Qmail-pw2u makes users/assign of a password file.
//
//	usage  qmail-pw2u [-/ohHuUC] [-c char] < passwd > assign
//	uid    anyone; reads HOME/users    exec  nothing
//	fd 0   the password file    fd 1  users/assign    fd 2  what went wrong
//	exit   0; 100 for a wrong option; 111 for all else
package main

import (
	"errors"
	"io/fs"
	"os"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/users"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

func main() {
	proc.Begin()
	proc.Help("qmail-pw2u: usage: qmail-pw2u [ -/ohHuUC ] [ -c char ]")
	o, mistake := options(os.Args[1:])
	if mistake != "" {
		proc.Die(exit.Perm, mistake)
	}
	if err := proc.Chdir(conf.Home()); err != nil {
		die("unable to chdir to " + conf.Home() + ": " + sys.Reason(err))
	}
	s, err := site(control.Dir(users.Folder))
	if err != nil {
		die("unable to read control files: " + sys.Reason(err))
	}
	if err := users.FromPasswd(os.Stdin, os.Stdout, o, s); err != nil {
		die(err.Error())
	}
	proc.Exit(exit.OK)
}

func die(text string) { proc.Die(exit.Temp, "qmail-pw2u: fatal: "+text) }

// options reads the command line.
func options(args []string) (o users.Options, mistake string) {
	o.Break = string([]byte{conf.Break()})
	g := getopt.New("qmail-pw2u", args, "/ohHuUCc:")
	for g.Next() {
		switch g.Letter {
		case '/':
			o.Slash = true
		case 'o':
			o.Home = users.HomeOwned
		case 'h':
			o.Home = users.HomeRequired
		case 'H':
			o.Home = users.HomeAny
		case 'u':
			o.Capital = true
		case 'U':
			o.Capital = false
		case 'C':
			o.Break = ""
		case 'c':
			o.Break = g.Value
		}
	}
	return o, g.Mistake
}

// site reads the files of the users folder.
func site(dir control.Dir) (users.Site, error) {
	s := users.Site{Alias: conf.UserNames().Alias, Owner: owner}
	var err error
	if s.Include, err = set(dir, "include"); err != nil {
		return s, err
	}
	if s.Exclude, err = set(dir, "exclude"); err != nil {
		return s, err
	}
	names, ok, err := dir.List("mailnames")
	if err != nil {
		return s, err
	}
	if ok {
		s.Mailnames = control.NewMap(names).Get
	}
	if s.Subusers, _, err = dir.List("subusers"); err != nil {
		return s, err
	}
	f, err := os.Open(users.Folder + "/append")
	if err == nil {
		s.Append = f
	} else if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	return s, nil
}

func set(dir control.Dir, name string) (func(string) bool, error) {
	lines, ok, err := dir.List(name)
	if !ok || err != nil {
		return nil, err
	}
	return control.NewSet(lines).Has, nil
}

func owner(path string) (int, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	uid, _ := sys.Owner(fi)
	return uid, nil
}
