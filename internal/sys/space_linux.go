package sys

import "golang.org/x/sys/unix"

// SpaceOf returns the space of the filesystem that path is on.
func SpaceOf(path string) (Space, error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(path, &st) }); err != nil {
		return Space{}, err
	}
	size := uint64(st.Frsize)
	return Space{Bytes: st.Blocks * size, Free: st.Bavail * size, Inodes: st.Files, FreeInodes: st.Ffree}, nil
}
