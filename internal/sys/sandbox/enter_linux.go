package sandbox

import (
	"errors"
	"io/fs"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Enter gives up all rights but r by Landlock. What the kernel does not know stays as it was, and a kernel without
// Landlock is no error; nor is a path in r that does not exist.
func Enter(r Rights) error {
	all := landlock.Config{
		HandledAccessFS:  everyFileAccess,
		HandledAccessNet: syscall.AccessNetBindTCP,
		Scoped:           syscall.ScopeSignal | syscall.ScopeAbstractUnixSocket,
	}
	if !r.Network {
		all.HandledAccessNet |= syscall.AccessNetConnectTCP
	}
	var rules []landlock.Rule
	for _, path := range r.Read {
		rules = add(rules, path, landlock.RODirs, landlock.ROFiles)
	}
	for _, path := range r.Write {
		rules = add(rules, path, landlock.RWDirs, landlock.RWFiles)
	}
	return all.BestEffort().Restrict(rules...)
}

// everyFileAccess are all rights on files that a kernel can take, up to the ABI whose sockets and signals are named
// above.
const everyFileAccess = syscall.AccessFSIoctlDev<<1 - 1

// add adds a rule for a file or a folder that exists. In a folder files may be moved from one folder to another.
func add(rules []landlock.Rule, path string, folder, file func(...string) landlock.FSRule) []landlock.Rule {
	fi, err := os.Stat(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrPermission):
	case err == nil && fi.IsDir():
		rules = append(rules, folder(path).WithRefer().IgnoreIfMissing())
	default:
		rules = append(rules, file(path).IgnoreIfMissing())
	}
	return rules
}

// Version is that of the kernel's Landlock; 0: it has none.
func Version() int {
	v, err := syscall.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return v
}
