package maildir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

type body struct{ *strings.Reader }

func message(s string) body { return body{strings.NewReader(s)} }

func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "Maildir")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func at(sec int64) func() time.Time { return func() time.Time { return time.Unix(sec, 0) } }

func content(t *testing.T, dir, sub string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir + "/" + sub)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range list {
		b, err := os.ReadFile(dir + "/" + sub + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	return got
}

func TestTheFirstFileIsNamedByTimeProcessAndHostAndLaterOnesAlsoByACount(t *testing.T) {
	dir := made(t)
	d := Delivery{&Names{pid: 77, host: safeHost("h/o:st")}, at(1000)}
	for _, text := range []string{"a", "b", "c"} {
		if err := d.Deliver(dir, "X: y\n", message(text)); err != nil {
			t.Fatal(err)
		}
	}
	got := content(t, dir, "new")
	for name, text := range map[string]string{
		`1000.77.h\057o\072st`: "X: y\na", `1000.77.2.h\057o\072st`: "X: y\nb", `1000.77.3.h\057o\072st`: "X: y\nc",
	} {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
	}
	if left := content(t, dir, "tmp"); len(got) != 3 || len(left) != 0 {
		t.Error(got, left)
	}
}

func TestANameThatIsTakenIsNotUsedAgain(t *testing.T) {
	dir := made(t)
	for _, sub := range []string{"new", "tmp"} {
		if err := os.WriteFile(dir+"/"+sub+"/1000.77.h", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, way := range []func(Delivery) error{
		func(d Delivery) error { return d.Deliver(dir, "", message("new")) },
		func(d Delivery) error { return d.named(dir, "", message("new")) },
	} {
		if err := way(Delivery{&Names{pid: 77, host: "h"}, at(1000)}); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	if got := content(t, dir, "new"); got["1000.77.h"] != "old" || got["1000.77.2.h"] != "new" {
		t.Error(got)
	}
}

func TestWithoutUnnamedFilesTheMessageGoesThroughTmp(t *testing.T) {
	dir := made(t)
	if err := (Delivery{NewNames(), time.Now}).named(dir, "h\n", message("m")); err != nil {
		t.Fatal(err)
	}
	got := content(t, dir, "new")
	for _, text := range got {
		if text != "h\nm" {
			t.Errorf("%q", text)
		}
	}
	if left := content(t, dir, "tmp"); len(got) != 1 || len(left) != 0 {
		t.Error(got, left)
	}
}

func TestALargeMessageIsCopiedByteForByte(t *testing.T) {
	dir := made(t)
	text := strings.Repeat("0123456789\x00\r\xff", 100_000)
	if err := (Delivery{NewNames(), time.Now}).Deliver(dir, "h\n", message(text)); err != nil {
		t.Fatal(err)
	}
	for _, got := range content(t, dir, "new") {
		if got != "h\n"+text {
			t.Error("not the same")
		}
	}
}

func TestWithoutAMaildirNothingIsDelivered(t *testing.T) {
	dir := made(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := Delivery{NewNames(), time.Now}
	for path, none := range map[string]bool{dir + "x": true, file: true, t.TempDir(): false} {
		if err := d.Deliver(path, "", message("m")); err == nil || errors.Is(err, ErrNone) != none {
			t.Error(path, err)
		}
	}
}

type broken struct{ body }

func (b broken) Read([]byte) (int, error) { return 0, iotest.ErrTimeout }

func TestATroubleWithTheMessageLeavesNothingBehind(t *testing.T) {
	dir := made(t)
	if err := (Delivery{NewNames(), time.Now}).Deliver(dir, "", broken{message("m")}); !errors.Is(err, ErrRead) {
		t.Error(err)
	}
	if n, l := content(t, dir, "new"), content(t, dir, "tmp"); len(n)+len(l) != 0 {
		t.Error(n, l)
	}
}

func TestAFileThatMayNotGrowLeavesNothingBehind(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	dir := made(t)
	limit := syscall.Rlimit{Cur: 50_000, Max: old.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)
	err := (Delivery{NewNames(), time.Now}).Deliver(dir, "h\n", message(strings.Repeat("x", 100_000)))
	if !errors.Is(err, syscall.EFBIG) {
		t.Error(err)
	}
	if n, l := content(t, dir, "new"), content(t, dir, "tmp"); len(n)+len(l) != 0 {
		t.Error(n, l)
	}
}

func TestScanGivesTheOldestFirstAndNoHiddenFiles(t *testing.T) {
	dir := made(t)
	for name, age := range map[string]int64{"new/c": 10, "cur/a:2,S": 30, "new/b": 20, "new/.hidden": 40, "cur/d": 10,
		"tmp/e": 50} {
		if err := os.WriteFile(dir+"/"+name, bytes.Repeat([]byte("x"), int(age)), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(1_000_000-age, 0)
		if err := os.Chtimes(dir+"/"+name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/new/folder", 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Path)
		if e.Time.Unix() != 1_000_000-e.Size || !strings.HasSuffix(e.Path, "/"+e.Name) {
			t.Error(e)
		}
	}
	if s := strings.Join(got, " "); s != "cur/a:2,S new/b new/c cur/d" {
		t.Error(s)
	}
	if _, err := Scan(dir + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestFilesLeftInTmpGoAfterADayAndAHalf(t *testing.T) {
	dir := made(t)
	now := time.Unix(2_000_000, 0)
	for name, age := range map[string]time.Duration{"young": stale - time.Minute, "old": stale + time.Minute,
		".old": stale + time.Minute} {
		if err := os.WriteFile(dir+"/tmp/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir+"/tmp/"+name, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	CleanTmp(dir, now)
	CleanTmp(dir+"x", now)
	if got := content(t, dir, "tmp"); len(got) != 2 {
		t.Error(got)
	}
}

func TestMakeSaysWhichFolderItCouldNotMake(t *testing.T) {
	dir := made(t)
	if fi, err := os.Stat(dir + "/new"); err != nil || fi.Mode().Perm() != 0o700 {
		t.Error(fi, err)
	}
	if err := Make(dir); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	if err := Make(dir + "x/y"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
