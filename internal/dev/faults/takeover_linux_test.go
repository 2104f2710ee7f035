package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/queue"
)

// at returns the path of a name in the queue.
func at(name string) string { return conf.Home() + "/queue/" + name }

// asC writes a file of the queue as the C programs leave it.
func (w *world) asC(name, text string, like string, mode os.FileMode) {
	w.t.Helper()
	w.must(os.WriteFile(at(name), []byte(text), 0o600))
	fi, err := os.Stat(at(like)) // the folder has the owner
	w.must(err)
	s := fi.Sys().(*syscall.Stat_t)
	w.must(os.Chown(at(name), int(s.Uid), int(s.Gid)))
	w.must(os.Chmod(at(name), mode))
}

// mess makes a message file with the number of its inode.
func (w *world) mess(text string) queue.ID {
	w.t.Helper()
	w.asC("pid/77.1.1", "Received: (qmail 77 invoked by uid 1000); 2 Jan 2026 03:04:05 -0000\n"+text, "mess", 0o644)
	fi, err := os.Stat(at("pid/77.1.1"))
	w.must(err)
	id := queue.ID(fi.Sys().(*syscall.Stat_t).Ino)
	w.must(os.Link(at("pid/77.1.1"), at(queue.Mess(id))))
	w.must(os.Remove(at("pid/77.1.1")))
	return id
}

// number is a message of the test with the given number.
func number(n int) string {
	return fmt.Sprintf("Subject: number %d.\n\n%s\n", n, strings.Repeat("text ", 200))
}

func TestTheQueueOfACQmailIsDrained(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	const host = "@" + testqmail.Host
	from := "F" + sam + host + "\x00"
	n := 0
	owed := func(kind string) string {
		n++
		w.accepted[n] = kind
		return number(n)
	}
	s5 := func(text, info, local, remote, bounce string) {
		id := w.mess(text)
		w.asC(queue.Info(id), info, "info", 0o600)
		if local != "" {
			w.asC(queue.Local.File(id), local, "local", 0o600)
		}
		if remote != "" {
			w.asC(queue.Remote.File(id), remote, "remote", 0o600)
		}
		if bounce != "" {
			w.asC(queue.Bounce(id), bounce, "bounce", 0o600)
		}
	}
	to := joe + host + "\x00"
	s5(owed("local"), from, "T"+to, "", "")
	s5(owed("local"), from, "D"+sam+host+"\x00T"+to, "Dx@far.test\x00", "")
	s5(owed("local"), from, "T"+to, "", "<x@far.test>:\nnot there\n\n")
	s5(owed("bounce"), from, "", "Ty@far.test\x00", "")
	s5(owed("bounce"), from, "", "", "<x@far.test>:\nnot there\n\n")
	s5(owed("bounce"), "F"+sam+host+"-@[]\x00", "Tnobody"+host+"\x00", "", "")
	s5(number(1000), "F\x00", "Tnobody"+host+"\x00", "", "") // a double bounce
	w.must(os.WriteFile(conf.Home()+"/alias/.qmail-postmaster", []byte("./double\n"), 0o644))

	// S4, whole, and as a qmail-send leaves it that dies while it writes.
	for i := range 3 {
		id := w.mess(owed("local"))
		w.asC(queue.Intd(id), "u1000\x00p77\x00"+from+"T"+to, "intd", 0o644)
		w.must(os.Link(at(queue.Intd(id)), at(queue.Todo(id))))
		if i > 0 {
			w.asC(queue.Info(id), "Fother@far.test\x00", "info", 0o600)
			w.asC(queue.Local.File(id), "T"+sam+host, "local", 0o600)
		}
		if i > 1 {
			w.must(os.Remove(at(queue.Intd(id))))
		}
	}
	// S2 and S3: promised to nobody. The old ones go.
	young, old := w.mess(number(2000)), w.mess(number(2001))
	w.asC(queue.Intd(young), "u1000\x00p77\x00"+from, "intd", 0o644)
	w.asC(queue.Intd(old), "", "intd", 0o644)
	long := time.Now().Add(-40 * time.Hour)
	w.must(os.Chtimes(at(queue.Mess(old)), long, long))
	w.asC("pid/78.1.1", "", "mess", 0o644)
	w.must(os.Chtimes(at("pid/78.1.1"), long, long))

	w.start()
	w.noCopies(w.settle(nothingOwed))
	w.eventually("the old leftovers go",
		func() bool { return gone(queue.Mess(old)) && gone(queue.Intd(old)) && gone("pid/78.1.1") })
	if gone(queue.Mess(young)) {
		t.Error("a message being written was removed")
	}
	w.eventually("the double bounce", func() bool {
		b, _ := os.ReadFile(conf.Home() + "/alias/double")
		return strings.Contains(string(b), "number 1000")
	})
}

func gone(name string) bool {
	_, err := os.Lstat(at(name))
	return os.IsNotExist(err)
}

// file reads a file of the queue that has to be qmail's own, with the given mode.
func (w *world) file(name, want string, mode os.FileMode) {
	w.t.Helper()
	b, err := os.ReadFile(at(name))
	if err != nil || string(b) != want {
		w.t.Errorf("%s: %q, %v", name, b, err)
		return
	}
	fi, err := os.Stat(at(name))
	w.must(err)
	folder, err := os.Stat(at(strings.SplitN(name, "/", 2)[0]))
	w.must(err)
	own, dir := fi.Sys().(*syscall.Stat_t).Uid, folder.Sys().(*syscall.Stat_t).Uid
	if own != dir || fi.Mode().Perm() != mode {
		w.t.Errorf("%s: owner %d, not %d; mode %v", name, own, dir, fi.Mode())
	}
}

func TestWhatIsLeftWhenItStopsIsWhatACQmailExpects(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.must(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.0.0.2\noptions timeout:1 attempts:1\n"), 0o644))
	w.must(os.WriteFile(user(joe).Home+"/.qmail-later", []byte("|exit 111\n"), 0o644))
	const host = "@" + testqmail.Host
	w.start()
	to := []string{"nobody" + host, joe + "-later" + host, "x@far.test", sam + host}
	if code := w.sendTo(sam+host, to...); code != 0 {
		t.Fatal(code)
	}
	w.logged("failure: ")
	w.eventually("two deferrals", func() bool {
		b, _ := os.ReadFile(w.log)
		return strings.Count(string(b), "deferral: ") == 2 && strings.Count(string(b), "success: ") == 1
	})
	w.stop()
	if code := w.sendTo("", to[3]); code != 0 { // nobody looks at it any more
		t.Fatal(code)
	}
	infos, _ := filepath.Glob(at("info/*/*"))
	todos, _ := filepath.Glob(at("todo/*"))
	if len(infos) != 1 || len(todos) != 1 {
		t.Fatalf("%v %v", infos, todos)
	}
	id, _ := queue.ParseID(filepath.Base(infos[0]))
	w.file(queue.Info(id), "F"+sam+host+"\x00", 0o600)
	b, err := os.ReadFile(at(queue.Local.File(id)))
	w.must(err)
	letters := strings.NewReplacer("D"+to[0]+"\x00", "", "T"+to[1]+"\x00", "", "D"+to[3]+"\x00", "").Replace(string(b))
	if letters != "" || !strings.Contains(string(b), "T"+to[1]) {
		t.Errorf("local: %q", b)
	}
	w.file(queue.Remote.File(id), "T"+to[2]+"\x00", 0o600)
	w.file(queue.Bounce(id), "<"+to[0]+">:\nNo such address. (#5.1.1)\n\n", 0o600)
	for _, c := range queue.Channels() {
		fi, err := os.Stat(at(c.File(id)))
		w.must(err)
		if next := time.Until(fi.ModTime()); next < 10*time.Second || next > 10*time.Minute {
			t.Errorf("%v is to be tried in %v", c, next)
		}
	}
	if !gone(queue.Intd(id)) || !gone(queue.Todo(id)) {
		t.Error("intd or todo is left of a message in S5")
	}
	second, _ := queue.ParseID(filepath.Base(todos[0]))
	text, _ := os.ReadFile(todos[0])
	var uid, pid int
	if _, err := fmt.Sscanf(strings.ReplaceAll(string(text), "\x00", " "), "u%d p%d F T", &uid, &pid); err != nil &&
		!strings.HasSuffix(string(text), "\x00F\x00T"+to[3]+"\x00") {
		t.Errorf("todo: %q", text)
	}
	w.file(queue.Todo(second), fmt.Sprintf("u%d\x00p%d\x00F\x00T%s\x00", uid, pid, to[3]), 0o644)
	if uid != user("me").UID {
		t.Errorf("todo says uid %d", uid)
	}
	for _, m := range []queue.ID{id, second} {
		fi, err := os.Stat(at(queue.Mess(m)))
		w.must(err)
		if fi.Sys().(*syscall.Stat_t).Ino != uint64(m) || fi.Mode().Perm() != 0o644 {
			t.Errorf("%s has inode %d, mode %v", queue.Mess(m), fi.Sys().(*syscall.Stat_t).Ino, fi.Mode())
		}
	}
	if left, _ := filepath.Glob(at("pid/*")); len(left) > 0 {
		t.Errorf("left in pid: %v", left)
	}
}

func TestAQueueThatWasCopiedToAnotherDiskWorksAfterQueueFix(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.must(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.0.0.2\noptions timeout:1 attempts:1\n"), 0o644))
	w.must(os.WriteFile(user(joe).Home+"/.qmail", []byte("|exit 111\n"), 0o644))
	w.start()
	w.mustSend("local", 15)
	w.mustSend("remote", 10)
	w.eventually("all deferred", func() bool {
		b, _ := os.ReadFile(w.log)
		return strings.Count(string(b), "deferral: ") >= 25
	})
	w.stop()
	w.mustSend("local", 15)
	w.mustSend("bounce", 5)

	dir := conf.Home() + "/queue"
	w.must(os.Mkdir("/run/disk", 0o755))
	w.must(syscall.Mount("tmpfs", "/run/disk", "tmpfs", 0, "mode=755"))
	w.must(exec.Command("touch", "/run/disk/a", "/run/disk/b", "/run/disk/c").Run()) // other inode numbers
	w.must(exec.Command("cp", "-a", dir, "/run/disk/queue").Run())
	w.must(syscall.Mount("/run/disk/queue", dir, "", syscall.MS_BIND, ""))

	fix := conf.Home() + "/bin/queue-fix"
	for _, run := range []struct {
		args []string
		code int
	}{{nil, 1}, {[]string{"-n", dir}, 1}, {[]string{"-f"}, 0}, {nil, 0}, {[]string{"-x"}, 100},
		{[]string{"a", "b"}, 100}, {[]string{"/nowhere"}, 111}} {
		c := exec.Command(fix, run.args...)
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != run.code {
			t.Fatalf("queue-fix %v: %d\n%s", run.args, got, out)
		}
	}
	w.must(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.0.0.1\n"), 0o644))
	w.must(os.WriteFile(user(joe).Home+"/.qmail", []byte("./Maildir/\n"), 0o644))
	lines := func() int {
		b, _ := os.ReadFile(w.log)
		return strings.Count(string(b), "status: local")
	}
	before := lines()
	w.start()
	// Only one of the two can have the queue: qmail-send first.
	w.eventually("qmail-send runs", func() bool { return lines() > before })
	c := exec.Command(fix)
	if out, _ := c.CombinedOutput(); c.ProcessState.ExitCode() != 111 ||
		!strings.Contains(string(out), "qmail-send is running") {
		t.Errorf("queue-fix beside qmail-send: %d\n%s", c.ProcessState.ExitCode(), out)
	}
	w.noCopies(w.settled())
}
