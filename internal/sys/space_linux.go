package sys

import "golang.org/x/sys/unix"

// SpaceOf returns the space of the filesystem that path is on.
func SpaceOf(path string) (Space, error) {
	for {
		var st unix.Statfs_t
		switch err := unix.Statfs(path, &st); err {
		case nil:
			size := uint64(st.Frsize)
			return Space{Bytes: st.Blocks * size, Free: st.Bavail * size, Inodes: st.Files, FreeInodes: st.Ffree}, nil
		case unix.EINTR:
		default:
			return Space{}, err
		}
	}
}
