//go:build !linux

package cutdisk

import (
	"errors"
	"time"
)

// A Disk serves one file.
type Disk struct{ Record *Record }

// Mount fails: there is no /dev/fuse here.
func Mount(path, store string, size int64, flush time.Duration, record bool) (*Disk, error) {
	return nil, errors.ErrUnsupported
}

// Close does nothing.
func (d *Disk) Close() error { return nil }

// Fail does nothing.
func (d *Disk) Fail(bool) {}
