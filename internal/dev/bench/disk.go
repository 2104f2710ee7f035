package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"qmail/internal/dev/cutdisk"
)

// A disk is an ext4 on a loop device, mounted without discard: on a disk that discards, every removed file costs
// milliseconds. It goes with the mount namespace: the image has no name any more once it is mounted.
type disk struct {
	mount   string
	covered []string // folders of systems, in their order
	slow    *cutdisk.Disk
}

// slowFile returns a file of the same size whose flushes take a while; its bytes are in image.
func (d *disk) slowFile(image string, flush time.Duration) (string, error) {
	fi, err := os.Stat(image)
	if err != nil {
		return "", err
	}
	const path = "/run/slow-disk"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return "", err
	}
	d.slow, err = cutdisk.Mount(path, image, fi.Size(), flush, false)
	return path, err
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func newDisk(size string, flush time.Duration) (*disk, error) {
	f, err := os.CreateTemp("/var/tmp", "bench-disk-*.img")
	if err != nil {
		return nil, err
	}
	f.Close()
	image := f.Name()
	defer os.Remove(image)
	d := &disk{mount: "/run/disk"}
	if err := command("truncate", "-s", size, image); err != nil {
		return d, err
	}
	if flush > 0 {
		if image, err = d.slowFile(image, flush); err != nil {
			return d, err
		}
	}
	// What a fresh filesystem would write later, in the middle of what is measured, it writes now.
	if err := command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image); err != nil {
		return d, err
	}
	if err := os.MkdirAll(d.mount, 0o755); err != nil {
		return d, err
	}
	return d, command("mount", "-o", "loop,nodiscard", image, d.mount)
}

// close takes the disk away. A slow one is served by this process, so it must not be in use any more when that
// ends: the kernel would wait for it for ever.
func (d *disk) close() {
	const step = 100 * time.Millisecond
	for _, folder := range append(d.covered, d.mount) {
		for range 100 {
			if err := command("umount", folder); err == nil {
				break
			}
			time.Sleep(step)
		}
	}
	if d.slow != nil {
		d.slow.Close()
	}
}

func (d *disk) path(name string) string { return filepath.Join(d.mount, name) }

// cover puts folders of a system on the disk, with what is in them.
func (d *disk) cover(system string, folders []string) error {
	for i, folder := range folders {
		own := d.path(fmt.Sprintf("%s.%d", system, i))
		if err := command("cp", "-a", folder, own); err != nil {
			return err
		}
		if err := command("mount", "--bind", own, folder); err != nil {
			return err
		}
		d.covered = append(d.covered, folder)
	}
	return nil
}
