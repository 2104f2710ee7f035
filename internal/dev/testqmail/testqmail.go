// Package testqmail gives tests, and the demonstration, a whole system of their own: private namespaces with the
// suite installed in its home, the real accounts, a network of its own and an empty /run. Nothing of it is left on the
// machine. It needs root on Linux.
package testqmail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// baseVariable names the folder of the installed tree to a process inside.
const baseVariable = "QMAIL_TEST_BASE"

// Inside reports whether the calling test runs in a world of its own. Where it does not, Inside runs that test alone
// in a new world, reports what became of it, and returns false: the test returns. Without root the test is skipped,
// which is an error under CI. Environment is added to that of the world.
func Inside(t *testing.T, environment ...string) bool {
	t.Helper()
	if base := os.Getenv(baseVariable); base != "" {
		if err := enter(base); err != nil {
			t.Fatalf("making a world: %v", err)
		}
		return true
	}
	if err := Possible(); err != nil {
		Skip(t, err.Error())
	}
	out, err := Run([]string{
		"-test.run=^" + regexp.QuoteMeta(t.Name()) + "$", "-test.v", "-test.timeout=" + timeout(t), "-test.count=1",
	}, environment...)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else if m := regexp.MustCompile(`\n    \S+\.go:\d+: (.*)\n--- SKIP: `).FindSubmatch(out); m != nil {
		t.Skip(string(m[1]))
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// timeout is that of a world: it ends a moment before its test does, so that its goroutines are seen.
func timeout(t *testing.T) string {
	if end, ok := t.Deadline(); ok {
		return max(time.Until(end)-2*time.Second, time.Second).String()
	}
	return "1h"
}

// Skip skips a test that cannot run here; under CI nothing may be left out but by -short.
func Skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" && !testing.Short() {
		t.Fatalf("left out under CI: %s", why)
	}
	t.Skip(why)
}

// Need skips a test where one of these programs is missing.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Skip(t, p+" is not installed")
		}
	}
}

// NeedRoot skips a test that becomes other users, or mounts something, where it may not.
func NeedRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "needs root")
	}
}

// Possible says why no world can be made here, or nil.
func Possible() error {
	if testing.Testing() && testing.Short() {
		return errors.New("-short leaves whole systems out")
	}
	if runtime.GOOS != "linux" {
		return errors.New("whole systems run in Linux namespaces only")
	}
	if os.Getuid() != 0 {
		return errors.New("whole systems need root")
	}
	return nil
}

// Run runs this program again in a new world with the given arguments, and returns its output.
func Run(args []string, environment ...string) ([]byte, error) {
	base, err := Installed()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(append(os.Environ(), baseVariable+"="+base), environment...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return out.Bytes(), err
}

// installation is the tree that the worlds of this process are made from.
var installation struct {
	once sync.Once
	dir  string
	err  error
}

// treeVariable names a folder that does not outlive the caller, for one installed tree that the tests of all packages
// have in common.
const treeVariable = "QMAIL_TEST_TREE"

// Installed builds the suite, installs it below a temporary folder, and returns that folder. Remove ends it.
func Installed() (string, error) {
	installation.once.Do(func() { installation.dir, installation.err = install() })
	return installation.dir, installation.err
}

// Remove removes the tree of Installed.
func Remove() {
	if installation.dir != "" && os.Getenv(treeVariable) == "" {
		os.RemoveAll(installation.dir)
	}
}

func install() (string, error) {
	root, err := Source()
	if err != nil {
		return "", err
	}
	if common := os.Getenv(treeVariable); common != "" {
		return installOnce(root, common)
	}
	if err := buildOnce(root); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "qmail-test-")
	if err != nil {
		return "", err
	}
	return dir, installBelow(root, dir)
}

func installBelow(root, dir string) error {
	os.Chmod(dir, 0o755)
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		return err
	}
	if err := writeAccounts(filepath.Join(dir, "etc")); err != nil {
		return err
	}
	out, err := exec.Command(filepath.Join(root, "build/bin/install"), root, dir,
		filepath.Join(dir, "manifest")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("install: %w\n%s", err, out)
	}
	return nil
}

// installOnce installs below dir/tree, which is there only when it is whole; tests of several packages wait for each
// other.
func installOnce(root, dir string) (string, error) {
	lock, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "tree")
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	if err := buildOnce(root); err != nil {
		return "", err
	}
	part := filepath.Join(dir, "part")
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", err
	}
	if err := installBelow(root, part); err != nil {
		return "", err
	}
	return tree, os.Rename(part, tree)
}

// buildOnce runs make; tests of several packages wait for each other.
func buildOnce(root string) error {
	if os.Getenv("QMAIL_TEST_BUILT") != "" {
		return nil
	}
	lock, err := os.Open(root)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if out, err := exec.Command("make", "-C", root, "all").CombinedOutput(); err != nil {
		return fmt.Errorf("make: %w\n%s", err, out)
	}
	return nil
}

// Source returns the top of the source tree, which the working directory is in.
func Source() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "conf/conf-qmail")); err == nil {
			return d, nil
		}
	}
	return "", fmt.Errorf("%s is not in the source tree", dir)
}
