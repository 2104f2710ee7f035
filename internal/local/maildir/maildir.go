// Package maildir makes Maildirs, delivers to them and reads them, by maildir(5).
package maildir

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"qmail/internal/sys"
)

// Make makes a Maildir that its owner alone may enter. An error is an *fs.PathError for the folder that could not
// be made.
func Make(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.Mkdir(path+"/"+sub, 0o700); err != nil {
			return err
		}
	}
	if err := sys.SyncDir(path); err != nil {
		return err
	}
	// Not every folder that may be written may be read.
	if err := sys.SyncDir(filepath.Dir(path)); err != nil && !os.IsPermission(err) {
		return err
	}
	return nil
}

// An Entry is one message in a Maildir.
type Entry struct {
	Path string    // below the Maildir: "new/NAME" or "cur/NAME"
	Name string    // NAME
	Time time.Time // when it was delivered: the file's time of modification
	Size int64
}

// Scan returns the messages of the Maildir at path, new and cur together, the oldest first. What
// begins with a dot is no message.
func Scan(path string) ([]Entry, error) {
	var list []Entry
	for _, sub := range []string{"new", "cur"} {
		names, err := names(path + "/" + sub)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			fi, err := os.Stat(path + "/" + sub + "/" + name)
			if err != nil {
				continue // another reader moved it
			}
			if fi.IsDir() {
				continue
			}
			list = append(list, Entry{Path: sub + "/" + name, Name: name, Time: fi.ModTime(), Size: fi.Size()})
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].Time.Equal(list[j].Time) {
			return list[i].Name < list[j].Name
		}
		return list[i].Time.Before(list[j].Time)
	})
	return list, nil
}

// stale is for how long a delivery may leave its file in tmp untouched. It must exceed the 24 hours after which
// a delivery gives up.
const stale = 36 * time.Hour

// CleanTmp removes the files that broken deliveries left in tmp. Trouble with one is no error.
func CleanTmp(path string, now time.Time) {
	names, err := names(path + "/tmp")
	if err != nil {
		return
	}
	for _, name := range names {
		file := path + "/tmp/" + name
		if read, wrote, err := sys.Times(file); err == nil && now.Sub(read) > stale && now.Sub(wrote) > stale {
			os.Remove(file)
		}
	}
}

// names returns the names in a folder that do not begin with a dot.
func names(path string) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: err}
	}
	list := all[:0]
	for _, name := range all {
		if name[0] != '.' {
			list = append(list, name)
		}
	}
	return list, nil
}
