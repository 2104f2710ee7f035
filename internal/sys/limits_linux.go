package sys

import "golang.org/x/sys/unix"

// Limits returns the resource limits of this process, for comparison.
func Limits() [9]unix.Rlimit {
	var l [9]unix.Rlimit
	for i, r := range [...]int{
		unix.RLIMIT_AS, unix.RLIMIT_CPU, unix.RLIMIT_DATA, unix.RLIMIT_FSIZE, unix.RLIMIT_NOFILE,
		unix.RLIMIT_NPROC, unix.RLIMIT_STACK, unix.RLIMIT_CORE, unix.RLIMIT_MEMLOCK,
	} {
		// A limit that cannot be read stays zero, as it does the next time.
		_ = unix.Getrlimit(r, &l[i])
	}
	return l
}
