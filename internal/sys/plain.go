package sys

import (
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenPlain is OpenNow for a path below the working folder on which no symbolic link is followed, whoever made it.
func OpenPlain(path string, flag int) (*os.File, error) {
	const always = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	dir := unix.AT_FDCWD
	for rest, more := path, true; ; {
		var name string
		how := flag
		if name, rest, more = strings.Cut(rest, "/"); more {
			how = os.O_RDONLY | unix.O_DIRECTORY
		}
		fd, err := openAt(dir, name, how|always, 0)
		if dir != unix.AT_FDCWD {
			unix.Close(dir)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		if !more {
			return os.NewFile(uintptr(fd), path), nil
		}
		dir = fd
	}
}
