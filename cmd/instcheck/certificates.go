package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/tls/chain"
)

// soon is how long before its end a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

// certificates warns about each chain that does not serve, and about keys that others could read.
func certificates(top *sys.Folder, dir control.Dir, a passwd.Accounts, now time.Time, warn func(path, text string)) {
	for _, c := range chain.All(dir) {
		path := filepath.Join(string(dir), chain.Folder, c.Name)
		switch left := c.Ends.Sub(now); {
		case c.Err != nil:
			warn(path, "cannot be used: "+c.Err.Error())
		case left <= 0:
			warn(path, "ended on "+c.Ends.UTC().Format("2006-01-02"))
		case left < soon:
			warn(path, "ends in "+strconv.Itoa(int(left/(24*time.Hour)))+" days")
		}
		keyOf(top, c.Name, a, warn)
	}
}

// keyOf warns about the key of a server name. Whoever may not enter the folder of keys is told nothing.
func keyOf(top *sys.Folder, name string, a passwd.Accounts, warn func(path, text string)) {
	keys, err := top.Walk(filepath.Join(conf.Home(), "keys"), "tls")
	if err != nil {
		return
	}
	defer keys.Close()
	path := filepath.Join(conf.Home(), "keys/tls", name+".pem")
	st, err := keys.Lstat(name + ".pem")
	switch want, known := a.UIDs[conf.UserNames().Key]; {
	case errors.Is(err, fs.ErrNotExist):
		warn(path, "does not exist, and control/"+chain.Folder+"/"+name+" is of no use")
	case err != nil:
	case known && st.UID != want:
		warn(path, fmt.Sprintf("has owner %d, not %s (%d)", st.UID, conf.UserNames().Key, want))
	case st.Mode&0o077 != 0:
		warn(path, fmt.Sprintf("has mode %04o: others may read it", st.Mode.Perm()))
	}
}
