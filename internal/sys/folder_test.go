package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// stranger is a uid that is neither ours nor root's.
const stranger = 60001

// grounds returns a folder of ours and, where we are root, one in it of a stranger's.
func grounds(t *testing.T) (top *Folder, path string) {
	t.Helper()
	path = t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"mine", "theirs", "elsewhere", "elsewhere/inner"} {
		if err := os.Mkdir(filepath.Join(path, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(filepath.Join(path, "theirs"), stranger, stranger); err != nil {
			t.Fatal(err)
		}
	}
	top, err := OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { top.Close() })
	return top, path
}

func unsafe(err error) bool {
	_, ok := errors.AsType[*UnsafeError](err)
	return ok
}

func TestALinkIsFollowedOnlyWhereWeAloneCanHaveMadeIt(t *testing.T) {
	top, path := grounds(t)
	link := func(target, name string, uid int) {
		if err := os.Symlink(target, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(filepath.Join(path, name), uid, -1); err != nil && os.Getuid() == 0 {
			t.Fatal(err)
		}
	}
	us := os.Getuid()
	link("elsewhere", "ours", us)
	link("mine/../elsewhere/.", "winding", us)
	link(filepath.Join(path, "elsewhere"), "absolute", us)
	link("ours", "twice", us)
	link("round", "round", us)
	followed := []string{"elsewhere", "ours", "winding", "absolute", "twice"}
	for _, name := range followed {
		d, err := top.Walk(name+"/inner", "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d.Close()
		if _, err := top.Walk("", name+"/inner"); (err == nil) != (name == "elsewhere") || err != nil && !unsafe(err) {
			t.Errorf("%s, where no link is followed: %v", name, err)
		}
	}
	if _, err := top.Sub("round"); err == nil {
		t.Error("a link to itself leads somewhere")
	}
	if us != 0 {
		t.Skip("only root can play another user")
	}
	link("elsewhere", "strange", stranger)
	link("../elsewhere", "theirs/placed", 0) // as root may have placed it, or somebody may have linked it
	link("theirs/placed", "through", 0)      // of root's, but through theirs
	link("theirs/../elsewhere", "above", 0)  // what is above theirs depends on where they have put it
	if err := os.Chmod(filepath.Join(path, "mine"), 0o777); err != nil {
		t.Fatal(err)
	}
	link("../elsewhere", "mine/open", 0)
	for _, name := range []string{"strange", "theirs/placed", "through", "above", "mine/open"} {
		if _, err := top.Walk(name, ""); !unsafe(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatSomebodyMayHaveLinkedIsNotGivenAway(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const other = stranger + 1
	top, path := grounds(t)
	put := func(name string, uid int, links int) {
		full := filepath.Join(path, name)
		if err := os.WriteFile(full, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(full, uid, uid); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < links; i++ {
			if err := os.Link(full, filepath.Join(path, "elsewhere", filepath.Base(name)+"2")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		what, in string
		uid      int // whose it is
		links    int
		to       int // who is to get it
		given    bool
	}{
		{"root's, in root's folder", "mine", 0, 2, other, true},
		{"a stranger's, in root's folder", "mine", stranger, 2, other, true},
		{"root's, in a stranger's folder", "theirs", 0, 1, stranger, false},
		{"another's, in a stranger's folder", "theirs", other, 1, stranger, false},
		{"the folder's owner's", "theirs", stranger, 2, other, true},
		{"the right user's", "theirs", other, 1, other, true},
		{"the right user's, with a second name", "theirs", other, 2, other, false},
	} {
		put(c.in+"/file", c.uid, c.links)
		d, err := top.Sub(c.in)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Give("file", c.to, -1, 0o644)
		st, e := d.Lstat("file")
		if e != nil {
			t.Fatal(e)
		}
		is := st.UID == c.to && st.Mode == 0o644
		if is != c.given || unsafe(err) == c.given || !c.given && (st.UID != c.uid || st.Mode != 0o600) {
			t.Errorf("%s: %v, and then it is %+v", c.what, err, st)
		}
		d.Remove("file")
		d.Close()
		os.Remove(filepath.Join(path, "elsewhere/file2"))
	}
}

func TestNothingThatMayWaitOrActIsOpened(t *testing.T) {
	top, path := grounds(t)
	if err := Mkfifo(filepath.Join(path, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Symlink("mine", filepath.Join(path, "link"))
	if _, err := ListenPackets(filepath.Join(path, "socket"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		f, st, err := top.Hold("fifo", os.O_RDONLY)
		if err == nil {
			f.Close()
		}
		if err == nil && st.Mode.Type() != fs.ModeNamedPipe {
			err = errors.New("not a FIFO")
		}
		_, sub := top.Sub("fifo")
		if !unsafe(sub) {
			err = errors.Join(err, sub, errors.New("a FIFO is a folder"))
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for a writer")
	}
	for _, name := range []string{"link", "socket"} {
		if _, _, err := top.Hold(name, os.O_RDONLY); !unsafe(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
