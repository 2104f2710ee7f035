package testkill

import "syscall"

// call returns the number of the call that a thread is about to make.
func call(tid int) uint64 {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &regs) != nil {
		return ^uint64(0)
	}
	return regs.Orig_rax
}

// changesDiskToo knows the calls that newer machines no longer have.
func changesDiskToo(nr uint64) bool {
	switch nr {
	case syscall.SYS_OPEN, syscall.SYS_CREAT, syscall.SYS_LINK, syscall.SYS_UNLINK, syscall.SYS_RENAME,
		syscall.SYS_MKDIR, syscall.SYS_RMDIR,
		syscall.SYS_TRUNCATE, syscall.SYS_CHMOD, syscall.SYS_UTIMES:
		return true
	}
	return false
}

// What package syscall does not name.
const (
	sysRenameat2     = 316
	sysSyncfs        = 306
	sysCopyFileRange = 326
)
