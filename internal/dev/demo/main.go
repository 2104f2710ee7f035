// Demo follows INSTALL.md on a system of its own: private namespaces with the real accounts, the true daemons
// started by boot/home, and the five tests that need one machine only. It prints what a sysadmin would see.
//
//	usage  demo (as root, in the source tree)
//	exit   0 when every test went as INSTALL.md says
package main

import (
	"fmt"
	"os"
	"os/exec"

	"qmail/internal/dev/testqmail"
)

func main() {
	if base := os.Getenv("QMAIL_DEMO"); base != "" {
		if err := testqmail.Enter(base); err != nil {
			fail(err)
		}
		source, err := testqmail.Source()
		if err == nil {
			err = newStage(source).play()
		}
		if err != nil {
			fail(err)
		}
		fmt.Println("\nEvery test went as INSTALL.md says. All of this system is gone now.")
		return
	}
	err := testqmail.Possible()
	if err == nil {
		err = outside()
	}
	testqmail.Remove()
	if err != nil {
		fail(err)
	}
}

// outside starts this program again in a world of its own.
func outside() error {
	base, err := testqmail.Installed()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "QMAIL_DEMO="+base)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := testqmail.Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}
