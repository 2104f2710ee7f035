//go:build linux && (amd64 || arm64)

// Package testkill runs a program for a test and kills it just before a chosen system call, so that
// a test can end it at every point where the disk may have changed.
package testkill

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// A Run is a program to run.
type Run struct {
	Path  string
	Args  []string // with the program's name
	Env   []string
	Dir   string
	Files []*os.File
}

// An Outcome is how a run ended.
type Outcome struct {
	Killed bool // by us
	Code   int  // else its exit code; -1: by a signal
	Calls  int  // how many system calls that may change the disk were seen
}

// Before runs the program and kills it when its call number n that may change the disk is about to be made, counted
// from 1. With n 0 it is not killed.
func Before(r Run, n int) (Outcome, error) {
	runtime.LockOSThread() // only the thread that traces may ask
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess(r.Path, r.Args, &os.ProcAttr{
		Dir: r.Dir, Env: r.Env, Files: r.Files, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return Outcome{}, err
	}
	t := &tracer{pid: p.Pid, n: n, inside: map[int]bool{}}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &ws, syscall.WALL, nil); err != nil || !ws.Stopped() {
		return Outcome{}, fmt.Errorf("first stop: %v", err)
	}
	const options = syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACESYSGOOD | ptraceExitKill
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		return Outcome{}, err
	}
	return t.run()
}

// ptraceExitKill kills the program when we die.
const ptraceExitKill = 1 << 20

type tracer struct {
	pid    int
	n      int
	inside map[int]bool // threads that are in a call
	known  map[int]bool
	out    Outcome
}

func (t *tracer) run() (Outcome, error) {
	t.known = map[int]bool{t.pid: true}
	if err := syscall.PtraceSyscall(t.pid, 0); err != nil {
		return t.out, err
	}
	for {
		var ws syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &ws, syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return t.out, err
		}
		switch {
		case ws.Exited() || ws.Signaled():
			if tid == t.pid {
				t.out.Code = ws.ExitStatus()
				return t.out, nil
			}
		case ws.Stopped():
			// A thread that is gone by now, or being killed, makes this fail.
			syscall.PtraceSyscall(tid, t.stopped(tid, ws))
		}
	}
}

// stopped handles a thread that stands still, and returns the signal to let it go on with.
func (t *tracer) stopped(tid int, ws syscall.WaitStatus) int {
	sig := ws.StopSignal()
	switch {
	case sig == syscall.SIGTRAP|0x80:
		t.inside[tid] = !t.inside[tid]
		if t.inside[tid] && changesDisk(tid) && !t.out.Killed {
			t.out.Calls++
			if t.out.Calls == t.n {
				t.out.Killed = true
				syscall.Kill(t.pid, syscall.SIGKILL)
			}
		}
		return 0
	case sig == syscall.SIGTRAP && ws.TrapCause() > 0:
		return 0
	case sig == syscall.SIGSTOP && !t.known[tid]:
		t.known[tid] = true
		return 0
	}
	return int(sig)
}

// changesDisk reports whether the thread is at a call that may change a disk, or order what is on it.
func changesDisk(tid int) bool {
	switch call(tid) {
	case syscall.SYS_OPENAT, syscall.SYS_WRITE, syscall.SYS_PWRITE64, syscall.SYS_WRITEV, syscall.SYS_LINKAT,
		syscall.SYS_UNLINKAT,
		syscall.SYS_RENAMEAT, sysRenameat2, syscall.SYS_MKDIRAT, syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, sysSyncfs,
		syscall.SYS_FTRUNCATE, syscall.SYS_FCHMODAT, syscall.SYS_FCHMOD, syscall.SYS_UTIMENSAT, sysCopyFileRange,
		syscall.SYS_SENDFILE, syscall.SYS_SPLICE:
		return true
	}
	return changesDiskToo(call(tid))
}
