package main

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"qmail/conf"
	"qmail/internal/site/users"
	"qmail/internal/sys"
	"qmail/internal/sys/sysuser"
	"qmail/internal/text/ascii"
)

// maxName is the longest account name that is looked up, in bytes.
const maxName = 32

// errNoHome says that a home directory does not exist.
var errNoHome = errors.New("no such home")

// search looks for the account that a local address names: the whole of it, then what is before each
// break character, from the right, which leaves the rest as the extension. An account that is
// root's, or whose home is not its own, receives no mail. Where there is none the address is an
// extension of the alias account. Any error means that nothing is known.
func search(
	local string, lookup func(name string) (sysuser.User, error), owner func(home string) (uid int, err error),
) (users.User, error) {
	folded := ascii.LowerString(local)
	for end := len(local); end > 0; end = strings.LastIndexByte(local[:end], conf.Break()) {
		if end > maxName {
			continue
		}
		u, err := lookup(folded[:end])
		if errors.Is(err, sysuser.ErrUnknown) {
			continue
		}
		if err != nil {
			return users.User{}, err
		}
		if u.UID == 0 {
			continue
		}
		uid, err := owner(u.Home)
		if err == errNoHome || err == nil && uid != u.UID {
			continue
		}
		if err != nil {
			return users.User{}, err
		}
		found := users.User{Name: u.Name, UID: u.UID, GID: u.GID, Home: u.Home}
		if end < len(local) {
			found.Dash, found.Ext = "-", local[end+1:]
		}
		return found, nil
	}
	u, err := lookup(conf.UserNames().Alias)
	if err != nil {
		return users.User{}, err
	}
	return users.User{Name: u.Name, UID: u.UID, GID: u.GID, Home: u.Home, Dash: "-", Ext: local}, nil
}

// homeOwner returns the uid that owns a home directory. errNoHome covers every error that says
// something lasting about the path; any other may pass.
func homeOwner(home string) (int, error) {
	fi, err := os.Stat(home)
	if err == nil {
		uid, _ := sys.Owner(fi)
		return uid, nil
	}
	for _, lasting := range [...]syscall.Errno{
		syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.ENAMETOOLONG, syscall.ELOOP,
	} {
		if errors.Is(err, lasting) {
			return 0, errNoHome
		}
	}
	return 0, err
}
