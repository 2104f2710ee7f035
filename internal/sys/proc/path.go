package proc

import (
	"io/fs"
	"os"
	"syscall"

	"qmail/internal/text/environ"
)

// Look returns the file that execvp would execute for name, with PATH as the environment has it; name itself
// where there is a slash in it. The error is fs.ErrNotExist, or fs.ErrPermission where a file is there that
// may not be executed.
func Look(name string, env []string) (string, error) {
	for i := 0; i < len(name); i++ {
		if name[i] == '/' {
			return name, nil
		}
	}
	if name == "" {
		return "", fs.ErrNotExist
	}
	path, set := environ.Get(env, "PATH")
	if !set {
		path = "/bin:/usr/bin"
	}
	failed := fs.ErrNotExist
	for start, i := 0, 0; i <= len(path); i++ {
		if i < len(path) && path[i] != ':' {
			continue
		}
		dir := path[start:i]
		start = i + 1
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		fi, err := os.Stat(file)
		if err != nil || fi.IsDir() {
			continue
		}
		if syscall.Access(file, 1) == nil {
			return file, nil
		}
		failed = fs.ErrPermission
	}
	return "", failed
}

// Exec becomes another program. It returns only when that fails.
func Exec(path string, args, env []string) error {
	return &fs.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, args, env)}
}
