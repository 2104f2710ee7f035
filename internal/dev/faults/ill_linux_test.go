package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/cutdisk"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// An illDisk is a folder on a real filesystem on a disk that can be made to fail.
type illDisk struct {
	w             *world
	fs, dir, loop string
	disk          *cutdisk.Disk
}

const (
	illImage, illDevice, illMount = "/run/ill.img", "/run/ill.disk", "/run/ill"
	illSize                       = 512 << 20
)

// onIllDisk puts a folder on such a disk, which is well at first; options are those of mkfs.
func (w *world) onIllDisk(fs, dir string, options ...string) *illDisk {
	w.t.Helper()
	testqmail.Need(w.t, "mkfs."+fs, "losetup")
	w.must(testqmail.Devices())
	w.must(os.Mkdir(illMount, 0o755))
	w.must(os.WriteFile(illDevice, nil, 0o600))
	f, err := os.Create(illImage)
	w.must(err)
	w.must(f.Truncate(illSize))
	w.must(f.Close())
	options = append(options, map[string]string{"ext4": "-F", "xfs": "-f", "btrfs": "-f"}[fs], illImage)
	w.shell("mkfs." + fs + " -q " + strings.Join(options, " "))
	disk, err := cutdisk.Mount(illDevice, illImage, illSize, 0, false)
	w.must(err)
	i := &illDisk{w: w, fs: fs, dir: dir, disk: disk}
	w.t.Cleanup(func() {
		i.disk.Fail(false)
		if w.daemon != nil {
			w.kill()
		}
		if err := i.unmount(); err != nil {
			w.t.Error(err) // the loop device would outlive us
		}
		i.disk.Close()
	})
	i.attach()
	w.shell("cp -a " + dir + " " + illMount + "/it && sync -f " + illMount)
	i.bind()
	return i
}

func (w *world) shell(command string) string {
	w.t.Helper()
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// attach mounts the filesystem. Others look for a free loop device at the same time.
func (i *illDisk) attach() {
	i.w.t.Helper()
	i.w.eventually("a loop device", func() bool {
		out, err := exec.Command("losetup", "--find", "--show", illDevice).Output()
		i.loop = strings.TrimSpace(string(out))
		return err == nil
	})
	i.w.must(syscall.Mount(i.loop, illMount, i.fs, 0, ""))
}

func (i *illDisk) bind() {
	i.w.t.Helper()
	i.w.must(syscall.Mount(illMount+"/it", i.dir, "", syscall.MS_BIND, ""))
}

// unmount takes the filesystem away; what is still there after a while is in use.
func (i *illDisk) unmount() error {
	for _, at := range []string{i.dir, illMount} {
		var err syscall.Errno
		poll.Within(time.Minute, func() bool {
			err, _ = syscall.Unmount(at, 0).(syscall.Errno)
			return err != syscall.EBUSY
		})
		if err != 0 {
			return &os.PathError{Op: "unmount", Path: at, Err: err}
		}
	}
	return exec.Command("losetup", "-d", i.loop).Run()
}

// mend ends everything that uses the disk, and mounts it again as an administrator would.
func (i *illDisk) mend() {
	i.w.t.Helper()
	i.w.kill()
	i.w.eventually("the workers end", func() bool {
		return len(pids("qmail-queue"))+len(pids("qmail-local"))+len(pids("qmail-remote"))+len(pids("qmail-getpw")) == 0
	})
	if err := i.unmount(); err != nil {
		i.w.t.Fatalf("%v: %s", err, i.w.shell(
			"ls -l /proc/[0-9]*/cwd /proc/[0-9]*/fd /proc/[0-9]*/exe 2>/dev/null | grep -E 'run/ill|qmail'; true"))
	}
	i.disk.Fail(false)
	i.attach()
	i.bind()
}

// illQueue has the queue's disk fail while mail flows, and then again before what was accepted is looked at.
func illQueue(t *testing.T, fs string) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		testqmail.Skip(t, "needs /dev/fuse")
	}
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	i := w.onIllDisk(fs, conf.Home()+"/queue")
	w.start()
	w.mustSend("local", 2)
	w.settled()
	wg := w.burst(4, 15)
	w.eventually("some mail", func() bool { return len(got(joe)) > 8 })
	i.disk.Fail(true)
	wg.Wait()
	refused := 0
	for range 10 {
		if w.send("local") != 0 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("a disk that takes nothing takes mail")
	}
	i.mend()
	w.mustSend("local", 5)
	w.mustSend("bounce", 5)
	i.disk.Fail(true) // now qmail-send is the first to meet it
	w.start()
	w.waiting()
	i.mend()
	w.start()
	w.settle(nothingOwed)
}

func TestAQueueOnAnExt4ThatFailsLosesNothing(t *testing.T) { illQueue(t, "ext4") }
func TestAQueueOnAnXfsThatFailsLosesNothing(t *testing.T)  { illQueue(t, "xfs") }
func TestAQueueOnABtrfsThatFailsLosesNothing(t *testing.T) { illQueue(t, "btrfs") }
func TestMailForHomesOnAnExt4ThatFailsWaits(t *testing.T)  { illHomes(t, "ext4") }
func TestMailForHomesOnAnXfsThatFailsWaits(t *testing.T)   { illHomes(t, "xfs") }
func TestMailForHomesOnABtrfsThatFailsWaits(t *testing.T)  { illHomes(t, "btrfs") }

// illHomes has the disk of the homes fail while mail is delivered to them.
func illHomes(t *testing.T, fs string) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		testqmail.Skip(t, "needs /dev/fuse")
	}
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	i := w.onIllDisk(fs, filepath.Dir(user(joe).Home))
	w.start()
	w.mustSend("local", 2)
	w.settled()
	wg := w.burst(4, 15)
	w.eventually("some mail", func() bool { return len(got(joe)) > 8 })
	i.disk.Fail(true)
	wg.Wait()
	w.mustSend("local", 5)
	w.mustSend("bounce", 5)
	w.waiting()
	i.mend()
	w.start()
	w.settle(nothingOwed)
}
