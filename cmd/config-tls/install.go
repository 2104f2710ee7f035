package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
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
	if old, err := read(keys, name); err == nil && !bytes.Equal(old, p.key) {
		err = put(keys, "."+name, old, 0o600, owner.UID, gid)
		if err != nil {
			return false, err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err = put(keys, name, p.key, 0o600, owner.UID, gid); err == nil {
		err = put(chains, host, p.chain, 0o644, 0, -1)
	}
	if err == nil && first {
		err = errors.Join(begin(control), control.Sync())
	}
	return first, err
}

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

// maxKey is the most bytes of a key that is kept.
const maxKey = 128 << 10

func read(d *sys.Folder, name string) ([]byte, error) {
	f, st, err := d.Hold(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !st.Mode.IsRegular() || st.Size > maxKey {
		return nil, &sys.UnsafeError{Path: name, Why: "is no key"}
	}
	return io.ReadAll(io.LimitReader(f, maxKey))
}

// put makes a file, complete and with its owner before it has its name, and durable.
func put(d *sys.Folder, name string, text []byte, mode fs.FileMode, uid, gid int) error {
	temporary := "." + name + ".new" // no key and no chain has such a name
	if err := d.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.Create(temporary, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chown(uid, gid), f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = d.Rename(temporary, d, name)
	}
	if err != nil {
		d.Remove(temporary)
		return err
	}
	return d.Sync()
}
