package testkill

import "syscall"

// call returns the number of the call that a thread is about to make.
func call(tid int) uint64 {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &regs) != nil {
		return ^uint64(0)
	}
	return regs.Regs[8]
}

// changesDiskToo knows no others: this machine never had the old calls.
func changesDiskToo(uint64) bool { return false }

// What package syscall does not name.
const (
	sysRenameat2     = 276
	sysSyncfs        = 267
	sysCopyFileRange = 285
)
