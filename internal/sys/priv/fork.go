package priv

import (
	"runtime"
	"syscall"

	"qmail/internal/sys"
)

// Fork is Start for a program that starts one or two others in its life: it goes without the pidfd of an
// os.Process, which makes the first start of a process dear. The child must be waited for with Wait.
func Fork(c Child) (pid int, err error) {
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: make([]uintptr, len(c.Files)), Sys: c.sys()}
	for i, f := range c.Files {
		attr.Files[i] = f.Fd()
	}
	c.slacken(sys.WithSlackNearly, func() { pid, err = syscall.ForkExec(c.Path, c.Args, attr) })
	runtime.KeepAlive(c.Files)
	return pid, err
}

// Wait waits for a child of Fork.
func Wait(pid int) (ws syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			return ws, err
		}
	}
}

// WaitAny waits for any child, one that was left to this process by its own parent too.
func WaitAny() (pid int, ws syscall.WaitStatus, err error) {
	for {
		if pid, err = syscall.Wait4(-1, &ws, 0, nil); err != syscall.EINTR {
			return pid, ws, err
		}
	}
}
