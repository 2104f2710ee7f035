package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
)

// onDisk runs this test again in a mount namespace of its own, with a small filesystem over the queue of a new
// home, and calls fn there. It needs root.
func onDisk(t *testing.T, options string, fn func(h *home)) {
	testqmail.NeedRoot(t)
	if os.Getenv("QUEUE_TEST_OWN_MOUNTS") == "" {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), "QUEUE_TEST_OWN_MOUNTS=1", "QUEUE_TEST_HOME="+homeDir)
		again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	h := newHome(t)
	dir := filepath.Join(h.dir, "queue")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	h.makeTree()
	fn(h)
}

func TestAFullDiskIsAWriteErrorAndLeavesNothing(t *testing.T) {
	onDisk(t, "size=128k", func(h *home) {
		text := strings.Repeat("0123456789abcde\n", 1<<14)
		code := h.feed(h.command(), text, testEnvelope)
		if left := h.check("full", code, text); code != 53 || left != 0 {
			t.Errorf("exit code %d, %d files left", code, left)
		}
		code = h.feed(h.command(), testText, testEnvelope)
		if h.check("room again", code, testText); code != 0 {
			t.Errorf("exit code %d when there is room again", code)
		}
	})
}

func TestADiskWithoutInodesIsTroubleWithTheFile(t *testing.T) {
	onDisk(t, "nr_inodes=40", func(h *home) {
		fill := filepath.Join(h.dir, "queue/lock/fill")
		var files []string
		for i := 0; ; i++ {
			name := fill + strings.Repeat("x", i)
			if os.WriteFile(name, nil, 0o644) != nil {
				break
			}
			files = append(files, name)
		}
		// With no inode, then with one, two and three: the message, the envelope and their links.
		for n := 0; n < 4; n++ {
			code := h.feed(h.command(), testText, testEnvelope)
			todo, _ := filepath.Glob(filepath.Join(h.dir, "queue/todo/*"))
			switch {
			case code == 0 && len(todo) == 1:
				os.Remove(todo[0])
			case code != 53 && (code < 63 || code > 66) || len(todo) != 0:
				t.Errorf("%d inodes: exit code %d, %d in todo", n, code, len(todo))
			}
			for _, d := range []string{"mess/*/*", "intd/*", "pid/*"} {
				left, _ := filepath.Glob(filepath.Join(h.dir, "queue", d))
				if code != 0 && len(left) > 0 {
					t.Errorf("%d inodes: exit code %d leaves %v", n, code, left)
				}
				for _, f := range left {
					os.Remove(f)
				}
			}
			if len(files) > n {
				os.Remove(files[n])
			}
		}
	})
}

// fill leaves so many bytes and inodes of the queue's filesystem free, and returns what gives the others back.
func fill(t *testing.T, dir string, bytes, inodes uint64) (undo func()) {
	t.Helper()
	s, err := sys.SpaceOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "lock/fill")
	made := []string{name}
	if err := os.WriteFile(name, make([]byte, s.Free-bytes), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := s.FreeInodes - 1; i > inodes; i-- {
		link := name + strconv.FormatUint(i, 10)
		if err := os.Symlink("x", link); err != nil {
			t.Fatal(err)
		}
		made = append(made, link)
	}
	return func() {
		for _, f := range made {
			os.Remove(f)
		}
	}
}

func TestTheLastOfTheSpaceIsLeftForTheMailThatIsThere(t *testing.T) {
	const (
		bytes, inodes = 16 << 20, 6400
		reserve, many = bytes / 64, inodes / 2
	)
	long := strings.Repeat("0123456789abcde\n", 1<<20/16)
	onDisk(t, "size=16m,nr_inodes=6400", func(h *home) {
		dir := filepath.Join(h.dir, "queue")
		for _, c := range []struct {
			what          string
			bytes, inodes uint64
			text          string
			want          int
		}{
			{"few bytes", reserve - 4096, many, testText, 53},
			{"few inodes", bytes / 2, inodes/64 - 1, testText, 53},
			{"enough", reserve + 64<<10, inodes/64 + 5, testText, 0},
			{"a message that would fit, but for the reserve", 1<<20 + reserve/2, many, long, 53},
		} {
			undo := fill(t, dir, c.bytes, c.inodes)
			code := h.feed(h.command(), c.text, testEnvelope)
			undo()
			left := h.check(c.what, code, c.text)
			if int(code) != c.want || c.want != 0 && left != 0 {
				t.Errorf("%s: exit code %d, %d files left", c.what, code, left)
			}
		}
	})
}
