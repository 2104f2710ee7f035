//go:build !linux

package sys

import (
	"errors"
	"io/fs"
	"os"
)

// NamesFollow is false: folders are always synced here.
func NamesFollow(string) bool { return false }

// Ordered is false: nothing is known here of the order in which changes reach the disk.
func Ordered(string, ...string) bool { return false }

// StartOut fails: there is no such call here.
func StartOut(*os.File) error { return errors.ErrUnsupported }

// WriteOut fails: there is no such call here.
func WriteOut(*os.File) error { return errors.ErrUnsupported }

// CreateUnnamed fails: there are no files without a name here.
func CreateUnnamed(dir string, _ fs.FileMode) (*os.File, error) {
	return nil, &fs.PathError{Op: "create unnamed", Path: dir, Err: errors.ErrUnsupported}
}

// LinkUnnamed fails, as CreateUnnamed does.
func LinkUnnamed(f *os.File, path string) error {
	return &os.LinkError{Op: "link", Old: f.Name(), New: path, Err: errors.ErrUnsupported}
}

// NotDumpable does nothing here.
func NotDumpable() error { return nil }

// syncFilesystem fails: there is no such call here.
func syncFilesystem(*os.File) error { return errors.ErrUnsupported }

func pipeRoom(*os.File) int { return 0 }
