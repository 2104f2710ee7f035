package testqmail

import (
	"os"
	"os/exec"
)

// Again runs this program once more, as the first process of a new world: with "-base FOLDER" before its
// arguments, for Enter.
func Again() error {
	if err := Possible(); err != nil {
		return err
	}
	base, err := Installed()
	if err != nil {
		return err
	}
	defer Remove()
	cmd := exec.Command("/proc/self/exe", append([]string{"-base", base}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
