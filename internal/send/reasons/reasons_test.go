package reasons

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/queue"
)

func table(t *testing.T) (string, *Table) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "sendctl"), 0o700)
	return dir, Create(dir)
}

func TestTheLastReasonOfARecipientIsKept(t *testing.T) {
	dir, w := table(t)
	at := time.Unix(1e9, 0)
	w.Note([]Deferral{{7, queue.Remote, "a@b", at, "first"}, {7, queue.Local, "a@b", at, "local"}})
	w.Note([]Deferral{{7, queue.Remote, "a@b", at.Add(time.Minute), strings.Repeat("x", 1000)}})
	r := Open(dir)
	text, when := r.Last(7, queue.Remote, "a@b", at)
	if text != strings.Repeat("x", maxText) || !when.Equal(at.Add(time.Minute)) {
		t.Errorf("%q, %v", text, when)
	}
	if text, _ := r.Last(7, queue.Local, "a@b", at); text != "local" {
		t.Errorf("%q", text)
	}
	if text, _ := r.Last(8, queue.Local, "a@b", at); text != "" {
		t.Errorf("of another message: %q", text)
	}
	if text, _ := r.Last(7, queue.Local, "a@b", at.Add(time.Second)); text != "" {
		t.Errorf("from before the message: %q", text)
	}
}

func TestTheFileNeverGrowsAndTheNewestStay(t *testing.T) {
	dir, w := table(t)
	var list []Deferral
	for n := range 30000 {
		list = append(list, Deferral{queue.ID(n), queue.Remote, "a@b", time.Unix(int64(n), 0), strconv.Itoa(n)})
	}
	w.Note(list)
	if fi, err := os.Stat(name(dir)); err != nil || fi.Size() > groups*places*size {
		t.Error(fi.Size(), err)
	}
	found := 0
	for n := 29000; n < 30000; n++ {
		if text, _ := w.Last(queue.ID(n), queue.Remote, "a@b", time.Unix(0, 0)); text == strconv.Itoa(n) {
			found++
		}
	}
	if found < 990 {
		t.Errorf("%d of the last 1000", found)
	}
}

func TestWithoutAFolderOrWithALinkThereIsNoTable(t *testing.T) {
	dir := t.TempDir()
	none := Create(dir)
	none.Note([]Deferral{{1, queue.Local, "a", time.Now(), "x"}})
	if text, _ := none.Last(1, queue.Local, "a", time.Time{}); none != nil || text != "" {
		t.Error("there is one")
	}
	os.Mkdir(filepath.Join(dir, "sendctl"), 0o700)
	os.Symlink("elsewhere", name(dir))
	if Create(dir) != nil {
		t.Error("a link was followed")
	}
}

func FuzzAnyFileIsReadWithoutHarm(f *testing.F) {
	f.Add(make([]byte, places*size), uint64(0))
	f.Add([]byte("x"), uint64(7))
	f.Fuzz(func(t *testing.T, b []byte, id uint64) {
		key, _ := Deferral{ID: queue.ID(id), Address: "a"}.place()
		b = append(append(make([]byte, 0, len(key)+places*size), key...), b...)
		b = b[:min(cap(b), places*size)]
		if text, at := find(b, key, time.Unix(0, 0)); len(text) > maxText || text != "" && at.Unix() < 0 {
			t.Errorf("%d bytes, %v", len(text), at)
		}
	})
}
