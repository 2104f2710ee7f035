package send

import (
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// sick is a disk on which some calls fail with EIO: those with the numbers from first, as many as long says.
type sick struct {
	queue.FS
	mu          sync.Mutex
	calls       int
	first, long int
}

func (s *sick) call(op, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.calls >= s.first && s.calls < s.first+s.long {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
	}
	return nil
}

func (s *sick) file(f queue.File, err error) (queue.File, error) {
	if err != nil {
		return nil, err
	}
	return sickFile{f, s}, nil
}

func (s *sick) Create(name string, mode fs.FileMode) (queue.File, error) {
	if err := s.call("create", name); err != nil {
		return nil, err
	}
	return s.file(s.FS.Create(name, mode))
}

func (s *sick) Append(name string, mode fs.FileMode) (queue.File, error) {
	if err := s.call("append", name); err != nil {
		return nil, err
	}
	return s.file(s.FS.Append(name, mode))
}

func (s *sick) Open(name string) (queue.File, error) {
	if err := s.call("open", name); err != nil {
		return nil, err
	}
	return s.file(s.FS.Open(name))
}

func (s *sick) Update(name string) (queue.File, error) {
	if err := s.call("update", name); err != nil {
		return nil, err
	}
	return s.file(s.FS.Update(name))
}

func (s *sick) Remove(name string) error {
	if err := s.call("remove", name); err != nil {
		return err
	}
	return s.FS.Remove(name)
}

func (s *sick) Lstat(name string) (fs.FileInfo, error) {
	if err := s.call("lstat", name); err != nil {
		return nil, err
	}
	return s.FS.Lstat(name)
}

func (s *sick) SetTime(name string, t time.Time) error {
	if err := s.call("utimes", name); err != nil {
		return err
	}
	return s.FS.SetTime(name, t)
}

func (s *sick) EachName(folder string, fn func(string) bool) error {
	if err := s.call("readdir", folder); err != nil {
		return err
	}
	return s.FS.EachName(folder, fn)
}

func (s *sick) SyncFolder(folder string) error {
	if err := s.call("sync", folder); err != nil {
		return err
	}
	return s.FS.SyncFolder(folder)
}

type sickFile struct {
	queue.File
	s *sick
}

func (f sickFile) Read(b []byte) (int, error) {
	if err := f.s.call("read", ""); err != nil {
		return 0, err
	}
	return f.File.Read(b)
}

func (f sickFile) Write(b []byte) (int, error) {
	if err := f.s.call("write", ""); err != nil {
		n, _ := f.File.Write(b[:len(b)/2]) // and half of it is there
		return n, err
	}
	return f.File.Write(b)
}

func (f sickFile) WriteAt(b []byte, pos int64) (int, error) {
	if err := f.s.call("write", ""); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, pos)
}

func (f sickFile) Sync() error {
	if err := f.s.call("fsync", ""); err != nil {
		return err
	}
	return f.File.Sync()
}

func TestAnErrorOfTheDiskAtAnyCallDelaysAndLosesNothing(t *testing.T) {
	const lanes = 12 // side by side
	for lane := 1; lane <= lanes; lane++ {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for _, long := range []int{1, 3} {
				for first := lane; sickLife(t, first, long) && !testing.Short(); first += lanes {
				}
			}
		})
	}
}

// sickLife delivers to four recipients: one succeeds at once, one at the second attempt, two fail, one of these
// later. It reports whether the disk came to the calls that fail.
func sickLife(t *testing.T, first, long int) bool {
	t.Helper()
	s := newSite(t)
	var offset time.Duration
	var mu sync.Mutex
	s.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	disk := &sick{FS: queue.Disk(s.dir), first: first, long: long}
	s.fs = disk
	tries := map[string]int{}
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		mu.Lock()
		defer mu.Unlock()
		tries[o.Recipient]++
		switch n := tries[o.Recipient]; {
		case o.Recipient == "bad@here.test", o.Recipient == "worse@far.test" && n > 1:
			return report.Failure, "never"
		case n == 1 && o.Recipient != "good@here.test":
			return report.Deferral, "not yet"
		}
		return report.Success, ""
	}
	s.inject("a@here.test", "good@here.test", "later@here.test", "bad@here.test", "worse@far.test")
	r := s.start()
	done := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		text := ""
		for _, b := range s.bounced {
			text += b
		}
		return s.got["good@here.test"] > 0 && s.got["later@here.test"] > 0 && strings.Contains(text, "bad@here.test") &&
			strings.Contains(text, "worse@far.test")
	}
	for i := 0; !done() || s.files() != ""; i++ {
		time.Sleep(3 * time.Millisecond)
		if i%5 == 4 {
			mu.Lock()
			offset += 200 * time.Second
			mu.Unlock()
			r.pull()
		}
		if i > 3000 {
			t.Fatalf("after EIO at calls %d to %d: %v %q\n%s\n%s", first, first+long-1, s.got, s.bounced, s.files(), s.logged())
		}
	}
	r.stop()
	disk.mu.Lock()
	defer disk.mu.Unlock()
	return disk.calls >= first
}
