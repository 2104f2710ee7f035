//go:build !linux

package testqmail

import (
	"errors"
	"os/exec"
)

// Host is the name of the machine in a world.
const Host = "qmail.test"

// Start fails: there are no namespaces here.
func Start(*exec.Cmd) error { return errors.ErrUnsupported }

// Enter fails, as Start does.
func Enter(base string) error { return enter(base) }

func enter(string) error { return errors.ErrUnsupported }

// Devices fails, as Start does.
func Devices() error { return errors.ErrUnsupported }
