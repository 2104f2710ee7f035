package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

func TestFromLinesAreQuotedAndTheLastLineEnds(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	deep := strings.Repeat(">", 100_000)
	for in, want := range map[string]string{
		"":                                 "\n",
		"\n":                               "\n\n",
		"a\nb":                             "a\nb\n\n",
		"From x\nFrom\nfrom x\n":           ">From x\nFrom\nfrom x\n\n",
		">From x\n>>From \n> From x\n>Fro": ">>From x\n>>>From \n> From x\n>Fro\n\n",
		" From x\n":                        " From x\n\n",
		"From ":                            ">From \n\n",
		"From":                             "From\n\n",
		">>":                               ">>\n\n",
		">\n":                              ">\n\n",
		"a\r\n\x00\xff\n":                  "a\r\n\x00\xff\n\n",
		long + "From x\nFrom y":            long + "From x\n>From y\n\n",
		deep + "From x":                    deep + ">From x\n\n",
		deep:                               deep + "\n\n",
	} {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := Copy(w, iotest.DataErrReader(strings.NewReader(in))); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if out.String() != want {
			t.Errorf("%.40q: %.40q, want %.40q", in, out.String(), want)
		}
	}
}

// model is Copy for a message in memory, line by line.
func model(in string) string {
	var b strings.Builder
	for in != "" {
		line, rest, _ := strings.Cut(in, "\n")
		if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
			b.WriteByte('>')
		}
		b.WriteString(line + "\n")
		in = rest
	}
	return b.String() + "\n"
}

func FuzzCopy(f *testing.F) {
	f.Add("From x\n>From y\n\n>>")
	f.Add("a")
	f.Fuzz(func(t *testing.T, in string) {
		var out, slow bytes.Buffer
		w, v := bufio.NewWriter(&out), bufio.NewWriter(&slow)
		err := errors.Join(Copy(w, strings.NewReader(in)), Copy(v, iotest.OneByteReader(strings.NewReader(in))))
		if err != nil {
			t.Fatal(err)
		}
		w.Flush()
		v.Flush()
		if out.String() != model(in) || slow.String() != model(in) {
			t.Fatalf("%q: %q and %q, want %q", in, out.String(), slow.String(), model(in))
		}
	})
}

func TestTheFromLineHoldsNoBlanksInTheSender(t *testing.T) {
	when := time.Unix(0, 0).In(time.FixedZone("x", 3600))
	for sender, want := range map[string]string{
		"a@b":       "From a@b Thu Jan  1 00:00:00 1970\n",
		"":          "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n",
		"a b\tc\nd": "From a-b-c-d Thu Jan  1 00:00:00 1970\n",
	} {
		if got := FromLine(sender, when); got != want {
			t.Errorf("%q: %q", sender, got)
		}
	}
}

func step(err error) int {
	if e := (*Error)(nil); errors.As(err, &e) {
		return int(e.Step)
	}
	return -1
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestADeliveryMakesTheMboxAndAddsToIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	for range 2 {
		if err := Deliver(path, "From a\n", strings.NewReader("b")); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); got != "From a\nb\n\nFrom a\nb\n\n" {
		t.Errorf("%q", got)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Error(fi, err)
	}
}

func TestAFailedDeliveryLeavesTheMboxAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Deliver(path, "From a\n", iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 100_000))))
	if step(err) != int(Reading) || !errors.Is(err, iotest.ErrTimeout) {
		t.Error(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 50_000, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err = Deliver(path, "From a\n", strings.NewReader(strings.Repeat("x", 100_000)))
	syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)
	if step(err) != int(Writing) || !errors.Is(err, syscall.EFBIG) {
		t.Error(err)
	}
	if got := read(t, path); got != "old\n" {
		t.Errorf("%d bytes", len(got))
	}
}

func TestAFullDeviceIsAWriteError(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	err := Deliver("/dev/full", "From a\n", strings.NewReader("x"))
	if step(err) != int(Writing) || !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}

func TestALockedMboxIsWaitedForButNotForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	f, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := deliver(path, "", strings.NewReader("x"), 50*time.Millisecond); step(err) != int(Locking) {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { f.Close() })
	if err := deliver(path, "", strings.NewReader("y"), poll.Limit); err != nil {
		t.Error(err)
	}
	if got := read(t, path); got != "y\n\n" {
		t.Errorf("%q", got)
	}
}

func TestAMessageGoesToTheFileThatTookTheMboxesPlaceWhileItWasLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	f, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- deliver(path, "", strings.NewReader("x"), poll.Limit) }()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	waits := regexp.MustCompile(fmt.Sprintf(`-> FLOCK .*:%d `, fi.Sys().(*syscall.Stat_t).Ino))
	poll.Until(t, "the delivery waits for the lock", func() bool {
		b, err := os.ReadFile("/proc/locks")
		return err != nil || waits.Match(b)
	})
	if err := os.WriteFile(path+".new", []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "new\nx\n\n" {
		t.Errorf("%q", got)
	}
}

func TestManyDeliveriesAtOnceDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mbox")
	const n = 20
	text := strings.Repeat("0123456789\n", 10_000)
	done := make(chan error)
	for range n {
		go func() { done <- Deliver(path, "From a\n", strings.NewReader(text)) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := read(t, path); got != strings.Repeat("From a\n"+text+"\n", n) {
		t.Error("mixed")
	}
}

func TestAFIFOWithoutAReaderIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := sys.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Deliver(path, "", strings.NewReader("x")); step(err) != int(Opening) || !errors.Is(err, syscall.ENXIO) {
		t.Error(err)
	}
}
