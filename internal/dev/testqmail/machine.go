package testqmail

import (
	"os"
	"os/exec"
)

// A Machine is a computer in the network of a world: with an installed suite, accounts, processes, a name and
// addresses of its own. Its disk, which is the qmail home and the users' homes, outlives it. It can be killed and
// booted again.
type Machine struct {
	Name     string // as in two.test
	IP4, IP6 string
	disk     string
	init     *exec.Cmd
}

const (
	machineVariable = "QMAIL_TEST_MACHINE"
	diskVariable    = "QMAIL_TEST_DISK"
)

// IsMachine reports whether this process was started to be the first of a machine; then TestMain calls RunMachine.
func IsMachine() bool { return os.Getenv(machineVariable) != "" }

// Account returns the user and group of an account of a world.
func Account(name string) (uid, gid int, ok bool) { return account(name) }
