package sys

import "golang.org/x/sys/unix"

func (d *Folder) mkfifo(name string, mode uint32) error {
	return unix.Mknodat(d.fd(), name, mode|unix.S_IFIFO, 0)
}
