//go:build linux

package services

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// bareVariable has the commands to run on a bare machine.
const bareVariable = "QMAIL_TEST_BARE"

// bare are the packages that README's two commands ask for: make, git, and gcc with what it needs to build anything.
const bare = "gcc,libc6-dev,make,git,ca-certificates"

// The machine is a Debian with these packages and Go, in a folder with this machine's network; the source is that of
// the last commit.
func TestABareMachineTakesTheTwoCommands(t *testing.T) {
	commands := os.Getenv(bareVariable)
	if commands == "" {
		t.Skip("make bare-test runs this: it fetches a Debian system and runs all tests there")
	}
	testqmail.NeedRoot(t)
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	lower := cached(t, "bare")
	if _, err := os.Stat(lower); err != nil {
		bootstrap(t, lower, bare)
	}
	root, err := os.MkdirTemp("/var/tmp", "qmail-bare-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sh(t, "rm -rf "+root) })
	sh(t, `cp -a --reflink=auto `+lower+`/. `+root+`
cat /etc/resolv.conf >`+root+`/etc/resolv.conf
mkdir -p `+root+`/usr/local/go
cp -L /etc/ssl/certs/ca-certificates.crt `+root+`/etc/ssl/certs/
git clone -q file://`+source+` `+root+`/root/qmail`)

	// Its mounts and processes end with it. It is no chroot: what tests enter by nsenter has the root of its namespace.
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-e", "-c", `root=$1
mount --bind $root $root
mount --rbind /dev $root/dev
mount --rbind /sys $root/sys
mount -t proc proc $root/proc
mount -t tmpfs tmpfs $root/run
mount --bind -o ro "$2" $root/usr/local/go
cd $root
mkdir -p old
pivot_root . old
exec chroot . sh -e -c "umount -l /old; cd; cd qmail; $3"`, "sh", root, strings.TrimSpace(string(goroot)), commands)
	cmd.Env = []string{"PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LC_ALL=C"}
	for _, e := range os.Environ() { // the way to the registries
		if name, _, _ := strings.Cut(strings.ToLower(e), "="); strings.HasSuffix(name, "_proxy") || name == "goproxy" {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v", commands, err)
	}
}
