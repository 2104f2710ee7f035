package sys

import "golang.org/x/sys/unix"

// InheritOnly keeps every descriptor but 0 to n-1 from the programs that this process starts: whoever started us
// may have left some open by mistake.
func InheritOnly(n int) {
	const most = 1024 // where the kernel cannot be asked
	if closeRange(n) {
		return
	}
	for fd := n; fd < most; fd++ {
		unix.CloseOnExec(fd)
	}
}
