package sys

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// kinds are both ends of each kind of connection that a server may be given.
func kinds(t *testing.T) map[string][2]*os.File {
	t.Helper()
	kinds := make(map[string][2]*os.File)
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	kinds["pipe"] = [2]*os.File{r, w}
	if r, w, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	kinds["polled pipe"] = [2]*os.File{r, w}
	for name, nonblocking := range map[string]bool{"socket": false, "polled socket": true} {
		p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		syscall.SetNonblock(p[0], nonblocking)
		syscall.SetNonblock(p[1], nonblocking)
		kinds[name] = [2]*os.File{os.NewFile(uintptr(p[0]), name), os.NewFile(uintptr(p[1]), name)}
	}
	t.Cleanup(func() {
		for _, k := range kinds {
			k[0].Close()
			k[1].Close()
		}
	})
	return kinds
}

func TestReadsAndWritesOfAnyKindOfFileGiveUp(t *testing.T) {
	for name, k := range kinds(t) {
		d := NewDialogue(k[0], k[1])
		d.Timeout(time.Minute)
		b := make([]byte, 10)
		if name == "pipe" || name == "polled pipe" {
			d.Write([]byte("hello"))
		} else {
			k[1].WriteString("hello")
		}
		if n, err := d.Read(b); err != nil || string(b[:n]) != "hello" {
			t.Errorf("%s: %q, %v", name, b[:n], err)
		}
		d.Timeout(50 * time.Millisecond)
		if _, err := d.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: read: %v", name, err)
		}
		var err error
		for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
			_, err = d.Write(make([]byte, 4096))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: write: %v", name, err)
		}
		d.Within(time.Now().Add(-time.Second))
		if _, err := d.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: read after the end: %v", name, err)
		}
	}
}
