package sys

import "golang.org/x/sys/unix"

// closeRange marks all descriptors from first on; it reports whether the kernel can.
func closeRange(first int) bool {
	return unix.CloseRange(uint(first), 1<<32-1, unix.CLOSE_RANGE_CLOEXEC) == nil
}
