package cdb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"qmail/internal/dev/testqmail"
)

type record struct{ key, value string }

// build returns the bytes of a constant database.
func build(t testing.TB, records []record) []byte {
	t.Helper()
	dir := t.TempDir()
	w, err := Create(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Add([]byte(r.key), []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(filepath.Join(dir, "cdb")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "cdb"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func many(n int) []record {
	list := []record{{"", "-"}}
	for i := range n {
		list = append(list, record{fmt.Sprintf("!user%d\x00", i), fmt.Sprintf("value %d", i*i)})
	}
	return list
}

func TestEveryRecordIsFoundAndNoOther(t *testing.T) {
	records := many(3000)
	b := build(t, records)
	db := NewReader(bytes.NewReader(b), int64(len(b)))
	for _, r := range records {
		v, ok, err := db.Find([]byte(r.key))
		if err != nil || !ok || string(v) != r.value {
			t.Fatalf("%q: %q %v %v", r.key, v, ok, err)
		}
	}
	for i := range 3000 {
		if _, ok, err := db.Find(fmt.Appendf(nil, "!user%d", i)); ok || err != nil {
			t.Fatalf("absent key %d: %v %v", i, ok, err)
		}
	}
}

func TestTheFirstOfTwoRecordsWithOneKeyIsFound(t *testing.T) {
	b := build(t, []record{{"k", "first"}, {"k", "second"}})
	v, ok, err := NewReader(bytes.NewReader(b), int64(len(b))).Find([]byte("k"))
	if err != nil || !ok || string(v) != "first" {
		t.Fatalf("%q %v %v", v, ok, err)
	}
}

func TestAFileIsTheSameByteForByteAsTheFormatSays(t *testing.T) {
	// The sum is that of a file which C qmail's qmail-newmrh made of these three hosts.
	b := build(t, []record{{"a.test", ""}, {"b.test", ""}, {".wild.test", ""}})
	if len(b) != 2048+14+14+18+3*16 {
		t.Fatalf("%d bytes", len(b))
	}
	sum := sha256.Sum256(b)
	const want = "0eb2c834b3e5f48989538f86401f49f03f63d46400d115ac1801e5756c869392"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("sha256 %s, want %s", got, want)
	}
}

func TestAFileThatIsCutShortIsDamagedNotEmpty(t *testing.T) {
	records := many(50)
	b := build(t, records)
	for n := range len(b) {
		db := NewReader(bytes.NewReader(b[:n]), int64(n))
		for _, r := range records {
			v, ok, err := db.Find([]byte(r.key))
			if err == nil && (!ok || string(v) != r.value) {
				t.Fatalf("%d bytes, %q: %q %v without an error", n, r.key, v, ok)
			}
		}
	}
}

func TestATableThatNeverEndsIsDamaged(t *testing.T) {
	b := make([]byte, 2048, 2048+(maxProbes+10)*slotSize)
	h := hash([]byte("k"))
	put := func(at int, v uint32) {
		b[at], b[at+1], b[at+2], b[at+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	}
	put(int(h%tables)*8, 2048)
	put(int(h%tables)*8+4, maxProbes+10)
	for range maxProbes + 10 {
		b = append(b, make([]byte, slotSize)...)
		put(len(b)-8, h)
		put(len(b)-4, 16) // a record of another key
	}
	_, ok, err := NewReader(bytes.NewReader(b), int64(len(b))).Find([]byte("k"))
	if ok || !errors.Is(err, ErrDamaged) {
		t.Fatalf("%v %v", ok, err)
	}
}

func TestAHugeValueIsNotReadIntoMemory(t *testing.T) {
	b := build(t, []record{{"k", string(make([]byte, MaxValue+1))}})
	if _, _, err := NewReader(bytes.NewReader(b), int64(len(b))).Find([]byte("k")); err != ErrDamaged {
		t.Fatal(err)
	}
}

func TestOnlyARegularFileIsOpened(t *testing.T) {
	if _, _, err := Open(t.TempDir()); !errors.Is(err, ErrDamaged) {
		t.Errorf("folder: %v", err)
	}
	if _, _, err := Open(os.DevNull); !errors.Is(err, ErrDamaged) {
		t.Errorf("device: %v", err)
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestAnUnfinishedFileNeverTakesTheOldOnesPlace(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "cdb")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Create(filepath.Join(dir, "cdb.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	w.Add([]byte("k"), []byte("v"))
	w.Abort()
	if b, _ := os.ReadFile(old); string(b) != "old" {
		t.Errorf("%q", b)
	}
	if err := w.Commit(old); err == nil {
		t.Error("a writer that was aborted commits")
	}
}

// tool returns the path of the cdb program of Debian's tinycdb.
func tool(t *testing.T) string {
	t.Helper()
	testqmail.Need(t, "cdb")
	return "cdb"
}

func TestTinycdbReadsWhatWeWrite(t *testing.T) {
	cdb := tool(t)
	records := many(500)
	file := filepath.Join(t.TempDir(), "ours")
	if err := os.WriteFile(file, build(t, records), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(cdb, "-d", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := dump(records); string(out) != want {
		t.Errorf("it dumps\n%.200q\nfor\n%.200q", out, want)
	}
	for _, r := range records[:20] {
		if r.key == "" || bytes.IndexByte([]byte(r.key), 0) >= 0 {
			continue
		}
		out, err := exec.Command(cdb, "-q", file, r.key).Output()
		if err != nil || string(out) != r.value {
			t.Errorf("%q: %q %v", r.key, out, err)
		}
	}
}

func TestWeReadWhatTinycdbWrites(t *testing.T) {
	cdb := tool(t)
	records := many(500)
	file := filepath.Join(t.TempDir(), "theirs")
	cmd := exec.Command(cdb, "-c", file)
	cmd.Stdin = bytes.NewReader([]byte(dump(records)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	db, f, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, r := range records {
		if v, ok, err := db.Find([]byte(r.key)); err != nil || !ok || string(v) != r.value {
			t.Fatalf("%q: %q %v %v", r.key, v, ok, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, build(t, records)) {
		t.Errorf("the files differ (%v)", err)
	}
}

// dump writes records as the cdb programs exchange them.
func dump(records []record) string {
	var b bytes.Buffer
	for _, r := range records {
		fmt.Fprintf(&b, "+%d,%d:%s->%s\n", len(r.key), len(r.value), r.key, r.value)
	}
	b.WriteString("\n")
	return b.String()
}

func FuzzReaderOfHostileFile(f *testing.F) {
	good := build(f, []record{{"", "-"}, {"!joe\x00", "joe\x001\x002\x00/\x00\x00"}, {"!joe-", "x"}})
	f.Add(good, []byte("!joe-"))
	f.Add(good[:2100], []byte(""))
	f.Add([]byte{}, []byte("k"))
	f.Fuzz(func(t *testing.T, b, key []byte) {
		v, ok, err := NewReader(bytes.NewReader(b), int64(len(b))).Find(key)
		if ok && (err != nil || !bytes.Contains(b, v)) {
			t.Errorf("%q %v", v, err)
		}
	})
}

func FuzzWriterAndReaderAgree(f *testing.F) {
	f.Add([]byte("a"), []byte("1"), []byte("b"), []byte("2"))
	f.Add([]byte(""), []byte(""), []byte("\x00"), []byte("x"))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		b := build(t, []record{{string(k1), string(v1)}, {string(k2), string(v2)}})
		db := NewReader(bytes.NewReader(b), int64(len(b)))
		if v, ok, err := db.Find(k1); err != nil || !ok || !bytes.Equal(v, v1) {
			t.Errorf("first: %q %v %v", v, ok, err)
		}
		if bytes.Equal(k1, k2) {
			return
		}
		if v, ok, err := db.Find(k2); err != nil || !ok || !bytes.Equal(v, v2) {
			t.Errorf("second: %q %v %v", v, ok, err)
		}
	})
}
