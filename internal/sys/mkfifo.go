//go:build !darwin && !freebsd

package sys

import "golang.org/x/sys/unix"

func (d *Folder) mkfifo(name string, mode uint32) error { return unix.Mkfifoat(d.fd(), name, mode) }
