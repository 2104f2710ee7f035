package cutdisk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"qmail/internal/dev/testqmail"
)

func TestCutKeepsWhatWasFlushedAndNothingLater(t *testing.T) {
	synctest.Test(t, cutKeepsWhatWasFlushed) // so that the clock goes on when it is told
}

func cutKeepsWhatWasFlushed(t *testing.T) {
	const size = 64 * Sector
	piece := func(c byte, sectors int) []byte { return bytes.Repeat([]byte{c}, sectors*Sector) }
	r := &Record{}
	r.wrote(0, piece('a', 4))
	r.flushed(r.begun())
	time.Sleep(time.Millisecond)
	r.wrote(2*Sector, piece('b', 4))
	time.Sleep(time.Millisecond)
	at := time.Now()
	time.Sleep(time.Millisecond)
	r.wrote(10*Sector, piece('c', 4))
	r.flushed(r.begun())
	hows := map[string]bool{}
	for seed := range uint64(200) {
		to := filepath.Join(t.TempDir(), "image")
		c, err := r.Image(to, size, at, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Fatal(err)
		}
		hows[c.How] = true
		b, err := os.ReadFile(to)
		if err != nil || len(b) != size {
			t.Fatal(len(b), err)
		}
		kept := 0
		for i := range 64 {
			switch s := b[i*Sector : (i+1)*Sector]; {
			case i < 2 && s[0] != 'a', i >= 2 && i < 4 && s[0] != 'a' && s[0] != 'b', i >= 6 && s[0] != 0:
				t.Fatalf("%+v: sector %d holds %q", c, i, s[0])
			case s[0] == 'b':
				kept++
			}
		}
		if c.Unflushed != 4 || kept != c.Unflushed-c.Dropped {
			t.Fatalf("%+v, but %d sectors are there", c, kept)
		}
	}
	if len(hows) != 5 {
		t.Errorf("only %v in 200 cuts", hows)
	}
}

func TestDiskKeepsRecordOfWhatIsWritten(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	if err := testqmail.Devices(); err != nil {
		t.Fatal(err)
	}
	dir := "/run"
	path, store := filepath.Join(dir, "disk"), filepath.Join(dir, "store")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	const slow = 30 * time.Millisecond
	d, err := Mount(path, store, size, slow, true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bytes.Repeat([]byte("0123456789abcdef"), 65536)
	if _, err := f.WriteAt(want, 12345); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < slow {
		t.Errorf("the flush took %v", took)
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 12345); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read back something else: %v", err)
	}
	if err := d.Record.Check(store, size); err != nil {
		t.Error(err)
	}
	if _, err := d.Record.Image(filepath.Join(dir, "image"), size, time.Now(), rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil || !bytes.Equal(b[12345:12345+len(want)], want) {
		t.Errorf("what was flushed is not in the image: %v", err)
	}
}
