//go:build !linux

package testqmail

import (
	"errors"
	"os/exec"
)

// Wire fails, as Start does.
func Wire() error { return errors.ErrUnsupported }

// RunMachine does nothing here.
func RunMachine() int { return 1 }

// Boot fails, as Start does.
func (m *Machine) Boot() error { return errors.ErrUnsupported }

// Kill does nothing here.
func (m *Machine) Kill() {}

// Command returns a command that fails.
func (m *Machine) Command(user string, args ...string) *exec.Cmd { return exec.Command("") }

// Path returns name.
func (m *Machine) Path(name string) string { return name }
