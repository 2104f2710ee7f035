package sys

import "golang.org/x/sys/unix"

// mkfifo goes by the path, since x/sys has no other call here.
func (d *Folder) mkfifo(name string, mode uint32) error { return unix.Mkfifo(d.join(name), mode) }
