package main

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/tls/chain"
)

// install puts a pair where qmail-key reads it: at no moment, and after no loss of power, is there a chain without its
// key. First says that this is the first chain of all.
func install(host string, p pair, owner passwd.Entry) (first bool, err error) {
	root, err := sys.OpenFolder("/")
	if err != nil {
		return false, err
	}
	defer root.Close()
	keys, err := root.Walk(filepath.Join(conf.Home(), "keys"), "tls")
	if err != nil {
		return false, err
	}
	defer keys.Close()
	control, err := root.Walk(filepath.Join(conf.Home(), "control"), "")
	if err != nil {
		return false, err
	}
	defer control.Close()
	if err = control.Mkdir(chain.Folder, 0o755); err == nil {
		first = true
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	chains, err := control.Sub(chain.Folder)
	if err != nil {
		return false, err
	}
	defer chains.Close()
	if first { // whatever the umask is
		if err = chains.GiveItself(0, -1, 0o755); err != nil {
			return first, err
		}
	}
	gid := owner.GID
	name := host + ".pem"
	if old, err := keys.ReadFile(name, maxKey); err == nil && !bytes.Equal(old, p.key) {
		err = keys.Replace("."+name, old, 0o600, owner.UID, gid)
		if err != nil {
			return false, err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err = keys.Replace(name, p.key, 0o600, owner.UID, gid); err == nil {
		err = chains.Replace(host, p.chain, 0o644, 0, -1)
	}
	if err == nil && first {
		err = errors.Join(begin(control), control.Sync())
	}
	return first, err
}

// maxKey is the most bytes of a key that is kept.
const maxKey = 128 << 10

// begin makes the file that has mail sent by TLS. Whoever removes it later means that.
func begin(control *sys.Folder) error {
	f, err := control.Create("tlsroutes", 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o644), f.Close())
}
