package testqmail

import (
	"context"
	"os"
	"os/exec"
)

// Again runs this program once more, as the first process of a new world: with "-base FOLDER" before its
// arguments, for Enter. When ctx is done the world is killed, with all that is in it.
func Again(ctx context.Context) error {
	if err := Possible(); err != nil {
		return err
	}
	base, err := Installed()
	if err != nil {
		return err
	}
	defer Remove()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"-base", base}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := Start(cmd); err != nil {
		return err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}
