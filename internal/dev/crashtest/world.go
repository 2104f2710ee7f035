//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/cutdisk"
	"qmail/internal/dev/testqmail"
)

// diskSize is the size of each disk: what btrfs needs at least, and some.
const diskSize = 384 << 20

// Users of the world who get mail.
const (
	userA = "orcjoe"
	userB = "orcsam"
)

// A world is where the suite runs: its queue and the homes are covered by disks that can lose writes.
type world struct {
	options
	dir    string // on the machine's disk: images
	queue  string
	homes  string
	loops  []string
	daemon []*exec.Cmd
}

func newWorld(o options) (*world, error) {
	dir, err := os.MkdirTemp("/var/tmp", "crashtest-")
	if err != nil {
		return nil, err
	}
	w := &world{options: o, dir: dir, queue: conf.Home() + "/queue", homes: filepath.Dir(user(userA).Home)}
	control := map[string]string{
		"me": "crash.test", "locals": "crash.test", "rcpthosts": "crash.test\nremote.test",
		"smtproutes": ":[127.0.0.1]:2525", "concurrencylocal": "10", "concurrencyremote": "10",
	}
	for n, text := range control {
		if err := os.WriteFile(conf.Home()+"/control/"+n, []byte(text+"\n"), 0o644); err != nil {
			return w, err
		}
	}
	for file, text := range map[string]string{
		user(userA).Home + "/.qmail-md": "./Maildir/\n",
		user(userA).Home + "/.qmail-mb": "./Mailbox\n",
		user(userB).Home + "/.qmail-md": "./Maildir/\n",
		user(userB).Home + "/.qmail-bo": "./" + bounces + "/\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return w, err
		}
	}
	for _, n := range []string{userA, userB} {
		u := user(n)
		for _, box := range []string{"Maildir", bounces} {
			for _, d := range []string{"", "/tmp", "/new", "/cur"} {
				if err := os.Mkdir(u.Home+"/"+box+d, 0o700); err != nil {
					return w, err
				}
			}
		}
		if err := command("chown", "-R", fmt.Sprint(u.UID, ":", u.UID), u.Home); err != nil {
			return w, err
		}
	}
	// What is on the disks at first.
	return w, command("sh", "-c", `cp -a "$0" "$2/queue" && cp -a "$1" "$2/homes"`, w.queue, w.homes, dir)
}

func (w *world) close() {
	w.kill()
	w.unmount()
	os.RemoveAll(w.dir)
}

func user(name string) testqmail.User {
	for _, u := range testqmail.Users() {
		if u.Name == name {
			return u
		}
	}
	panic("no user " + name)
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// disks returns the names of the disks: one for all, or one for the queue and one for the homes.
func (w *world) disks() []string {
	if w.split {
		return []string{"queue", "homes"}
	}
	return []string{"all"}
}

func (w *world) image(disk string) string { return filepath.Join(w.dir, disk+".img") }

// mkfs makes an empty filesystem in a file.
func mkfs(fs, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := f.Truncate(diskSize); err != nil {
		return err
	}
	f.Close()
	switch fs {
	case "ext4":
		return command("mkfs.ext4", "-q", "-F", file)
	case "xfs":
		return command("mkfs.xfs", "-q", "-f", file)
	case "btrfs":
		return command("mkfs.btrfs", "-q", "-f", file)
	}
	return fmt.Errorf("no such filesystem; there are ext4, xfs, btrfs")
}

// mount mounts the disks' files over queue and homes. The machine's own folders are below.
func (w *world) mount(fs string, file func(disk string) string) error {
	for _, d := range w.disks() {
		at := "/run/crash-" + d
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		out, err := exec.Command("losetup", "--find", "--show", file(d)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("losetup: %w: %s", err, out)
		}
		loop := strings.TrimSpace(string(out))
		w.loops = append(w.loops, loop)
		options := ""
		if fs == "xfs" {
			options = "nouuid"
		}
		if err := syscall.Mount(loop, at, fs, 0, options); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
	}
	return nil
}

// fill puts the first content on the mounted disks.
func (w *world) fill() error {
	for _, n := range []string{"queue", "homes"} {
		if err := command("cp", "-a", filepath.Join(w.dir, n), w.on(n)); err != nil {
			return err
		}
	}
	return nil
}

// on returns where queue or homes are on the mounted disks.
func (w *world) on(n string) string {
	if w.split {
		return "/run/crash-" + n + "/" + n
	}
	return "/run/crash-all/" + n
}

func (w *world) bind() error {
	for n, at := range map[string]string{"queue": w.queue, "homes": w.homes} {
		if err := syscall.Mount(w.on(n), at, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", at, err)
		}
	}
	return nil
}

// unmount takes everything away that mount and bind have made.
func (w *world) unmount() {
	for _, at := range []string{w.queue, w.homes} {
		if mounted(at) {
			syscall.Unmount(at, syscall.MNT_DETACH)
		}
	}
	for _, d := range w.disks() {
		retry(func() error {
			if !mounted("/run/crash-" + d) {
				return nil
			}
			return syscall.Unmount("/run/crash-"+d, 0)
		})
	}
	for _, l := range w.loops {
		retry(func() error { return exec.Command("losetup", "-d", l).Run() })
	}
	w.loops = nil
}

func mounted(at string) bool {
	b, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && strings.Contains(string(b), " "+at+" ")
}

func retry(fn func() error) error {
	var err error
	for range 200 {
		if err = fn(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// start starts the suite.
func (w *world) start() error {
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(conf.Home()+"/bin/qmail-start", "./Mailbox")
	c.Stdout, c.Stderr, c.Dir = log, log, "/"
	c.Env = []string{"PATH=" + conf.Home() + "/bin:/usr/bin:/bin"}
	w.daemon = append(w.daemon, c)
	return c.Start()
}

// kill ends every other process of the world at once, as the cut does.
func (w *world) kill() {
	for range 500 {
		err := syscall.Kill(-1, syscall.SIGKILL)
		for _, c := range w.daemon {
			if c.Process != nil {
				c.Wait()
			}
		}
		w.daemon = nil
		for {
			if pid, werr := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || werr != nil {
				break
			}
		}
		if err == syscall.ESRCH {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// cutDisks puts recording disks on image files; their paths are in /run.
func (w *world) cutDisks(store func(disk string) string) (map[string]*cutdisk.Disk, error) {
	disks := map[string]*cutdisk.Disk{}
	for _, d := range w.disks() {
		path := "/run/cut-" + d
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return disks, err
		}
		disk, err := cutdisk.Mount(path, store(d), diskSize, w.flush, true)
		if err != nil {
			return disks, err
		}
		disks[d] = disk
	}
	return disks, nil
}

func cutPath(disk string) string { return "/run/cut-" + disk }

func closeDisks(disks map[string]*cutdisk.Disk) {
	for _, d := range disks {
		d.Close()
	}
}
