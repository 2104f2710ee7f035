// Package priv is the only place where uids change: in this process for good, or in a child
// that is started as someone else.
package priv

import (
	"errors"
	"os"
	"syscall"
	"time"

	"qmail/internal/sys"
)

// An ID is whom a process runs as: one uid, one gid and no other group.
type ID struct{ UID, GID int }

// Become gives up root for good. Uid goes last: without root the groups cannot change.
func Become(id ID) error {
	err := syscall.Setgroups([]int{id.GID})
	if err == nil {
		err = syscall.Setgid(id.GID)
	}
	if err == nil {
		err = syscall.Setuid(id.UID)
	}
	if err == nil && id.UID != 0 && syscall.Setuid(0) == nil {
		err = errors.New("root came back")
	}
	return err
}

// A Child is a program to start.
type Child struct {
	Path  string        // what to execute
	Args  []string      // its whole argument list, the program's name first
	Env   []string      // its environment
	Dir   string        // its working directory; empty: ours
	Files []*os.File    // its descriptors from 0 on; it gets no other
	As    *ID           // whom it runs as, in a session of its own; nil: as we do, in ours
	Apart bool          // in a session of its own in any case
	Slack time.Duration // of its timers; 0: as we have
	// Expendable says that it is to be ended rather than others when memory is short.
	Expendable bool
}

// Start starts the child. The files stay open here.
func Start(c Child) (p *os.Process, err error) {
	attr := &os.ProcAttr{Dir: c.Dir, Env: c.Env, Files: c.Files, Sys: c.sys()}
	if c.Env == nil {
		attr.Env = []string{}
	}
	c.slacken(sys.WithSlack, func() { p, err = os.StartProcess(c.Path, c.Args, attr) })
	if err == nil && c.Expendable {
		sys.Expend(p.Pid)
	}
	return p, err
}

// slacken has what start starts get the child's slack, by WithSlack or its like.
func (c *Child) slacken(with func(time.Duration, func()), start func()) {
	if c.Slack == 0 {
		start()
		return
	}
	with(c.Slack, start)
}

// sys returns what of a child the system alone can do; nil if nothing. What runs as another user does not get our
// controlling terminal, where it could type for us, and is a process group that can be ended as a whole.
func (c *Child) sys() *syscall.SysProcAttr {
	if c.As == nil && c.Apart {
		return &syscall.SysProcAttr{Setsid: true}
	}
	if c.As == nil {
		return nil
	}
	return &syscall.SysProcAttr{
		Setsid: true,
		Credential: &syscall.Credential{
			Uid: uint32(c.As.UID), Gid: uint32(c.As.GID), Groups: []uint32{uint32(c.As.GID)},
		},
	}
}
