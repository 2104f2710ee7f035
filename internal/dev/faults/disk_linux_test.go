package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"qmail/conf"
)

// onOwnDisk puts a folder on a small disk of its own.
func (w *world) onOwnDisk(dir, options string) {
	w.t.Helper()
	w.must(exec.Command("cp", "-a", dir, "/run/copy").Run())
	w.must(syscall.Mount("tmpfs", dir, "tmpfs", 0, options))
	out, err := exec.Command("sh", "-c", `cp -a /run/copy/. "$0" && rm -rf /run/copy`, dir).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// fill takes all the room in a folder, in bytes and in inodes; free gives it back.
func (w *world) fill(dir string) (free func()) {
	w.must(os.Mkdir(dir+"/fill", 0o700))
	zero := make([]byte, 4096)
	if f, err := os.Create(dir + "/fill/bytes"); err == nil {
		for err == nil {
			_, err = f.Write(zero)
		}
		f.Close()
	}
	return func() { w.must(os.RemoveAll(dir + "/fill")) }
}

func (w *world) fillInodes(dir string) (free func()) {
	w.must(os.Mkdir(dir+"/fill", 0o700))
	for i := 0; ; i++ {
		f, err := os.Create(filepath.Join(dir, "fill",
			string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))))
		if err != nil {
			break
		}
		f.Close()
	}
	return func() { w.must(os.RemoveAll(dir + "/fill")) }
}

func queueWithoutRoom(t *testing.T, place func(w *world, dir string), fill func(w *world, dir string) func()) {
	w := newWorld(t)
	queue := conf.Home() + "/queue"
	place(w, queue)
	w.start()
	w.mustSend("local", 3)
	w.settled()
	free := fill(w, queue)
	for _, kind := range []string{"local", "bounce"} {
		w.refused(kind, 53, 63, 64, 65, 66)
	}
	free()
	w.mustSend("local", 3)
	w.settled()

	// Accepted, and then there is no room for what qmail-send has to write.
	w.stop()
	w.mustSend("local", 5)
	w.mustSend("bounce", 5)
	w.mustSend("remote", 2)
	free = fill(w, queue)
	w.start()
	w.logged("delivery .* failure|unable to preprocess")
	w.waiting()
	free()
	w.stop() // or else qmail-send would wait for two minutes after such trouble
	w.start()
	w.mustSend("local", 1)
	w.settled()
}

func TestAFullDiskLosesNothingThatWasAccepted(t *testing.T) {
	if inWorld(t) {
		queueWithoutRoom(t, func(w *world, dir string) { w.onOwnDisk(dir, "size=1m,mode=755") }, (*world).fill)
	}
}

func TestADiskWithoutInodesLosesNothingThatWasAccepted(t *testing.T) {
	if inWorld(t) {
		queueWithoutRoom(t, func(w *world, dir string) { w.onOwnDisk(dir, "size=8m,nr_inodes=400,mode=755") },
			(*world).fillInodes)
	}
}

func TestAnExt4WithoutInodesLosesNothingThatWasAccepted(t *testing.T) {
	if inWorld(t) {
		queueWithoutRoom(t, func(w *world, dir string) { w.onIllDisk("ext4", dir, "-N", "400") }, (*world).fillInodes)
	}
}

func TestMailForAFullHomeWaitsUntilThereIsRoom(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	home := user(joe).Home
	w.must(os.WriteFile(home+"/.qmail", []byte("./Maildir/\n./Mailbox\n"), 0o644))
	w.must(exec.Command("chown", "-R", joe, home).Run())
	w.onOwnDisk(home, "size=1m,mode=755")
	w.start()
	w.mustSend("local", 2)
	w.settled()
	before, err := os.ReadFile(home + "/Mailbox")
	w.must(err)
	free := w.fill(home)
	w.mustSend("local", 5)
	w.logged("deferral: ")
	w.waiting()
	if after, err := os.ReadFile(home + "/Mailbox"); err != nil || len(after) != len(before) {
		t.Errorf("half a message in the mbox: %d bytes, then %d; %v", len(before), len(after), err)
	}
	if files, _ := filepath.Glob(home + "/Maildir/new/*"); len(files) != 2 {
		t.Errorf("%d messages in a full Maildir", len(files))
	}
	free()
	w.noCopies(w.settled())
}
