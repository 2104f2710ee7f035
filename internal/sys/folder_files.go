package sys

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ReadFile returns what is in a file of at most so many bytes.
func (d *Folder) ReadFile(name string, most int64) ([]byte, error) {
	f, st, err := d.Hold(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !st.Mode.IsRegular() || st.Size > most {
		return nil, d.unsafe(name, "is no file of a sensible size")
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// Replace makes a file, complete and with its owner before it has its name, and durable. It makes ".NAME.new" first.
func (d *Folder) Replace(name string, text []byte, mode fs.FileMode, uid, gid int) error {
	temporary := "." + name + ".new"
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
