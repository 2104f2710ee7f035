package proc

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Find returns the file that a program's name means, as execvp(3) finds it: a name with a slash means itself, any
// other is searched in the folders of path, the value of $PATH. The error is an errno.
func Find(name, path string) (string, error) {
	for i := 0; i < len(name); i++ {
		if name[i] == '/' {
			return name, nil
		}
	}
	if name == "" {
		return "", syscall.ENOENT
	}
	if path == "" {
		path = "/bin:/usr/bin"
	}
	var err error = syscall.ENOENT
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		fi, e := os.Stat(file)
		switch {
		case e == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0:
			return file, nil
		case e == nil && !fi.IsDir(), os.IsPermission(e):
			err = syscall.EACCES
		}
	}
	return "", err
}

// Exec replaces this process by a program, found as by Find. It returns only when that fails.
func Exec(name string, args, env []string, path string) error {
	file, err := Find(name, path)
	if err != nil {
		return &fs.PathError{Op: "exec", Path: name, Err: err}
	}
	return &fs.PathError{Op: "exec", Path: name, Err: syscall.Exec(file, args, env)}
}
