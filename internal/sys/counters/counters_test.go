package counters

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func create(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "session")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingThatSeveralCountAtOnceIsLost(t *testing.T) {
	path := create(t, 0)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f := open(path, os.Geteuid())
			for range 50 {
				var s Slots
				s[OfSession("qmail-smtpd", Sessions)], s[Most-1] = 1, 2
				f.Add(&s, time.Unix(1e9, 0))
			}
		})
	}
	all.Wait()
	s := open(path, os.Geteuid()).Read()
	if s[0] != 1e9 || s[1] != 400 || s[Most-1] != 800 {
		t.Errorf("written at %d, counted %d and %d", s[0], s[1], s[Most-1])
	}
}

func TestNothingButAFileOfOnesOwnIsCountedIn(t *testing.T) {
	path := create(t, Size)
	dir := filepath.Dir(path)
	link, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{link, pipe, dir, filepath.Join(dir, "none")} {
		if open(p, os.Geteuid()) != nil {
			t.Errorf("%s is counted in", p)
		}
	}
	if open(path, os.Geteuid()+1) != nil {
		t.Error("another's file is counted in")
	}
	var off *File
	off.Add(&Slots{}, time.Now())
	off.Write(&Slots{}, time.Now())
	if off.Read() != (Slots{}) {
		t.Error("nobody has counted something")
	}
}

// What a file of an older version has counted is read by these numbers.
func TestNumbersOfSlotsAreAsTheyWereAndNobodySharesOne(t *testing.T) {
	used := map[int]bool{0: true}
	for _, x := range []struct{ slot, want int }{
		{MessagesNew, 1}, {MessagesEnded, 2}, {Bounces, 3}, {DoubleBounces, 4}, {TripleBounces, 5},
		{Deliveries(0, Success), 6}, {Deliveries(0, Failure), 7}, {Deliveries(0, Deferral), 8}, {Deliveries(1, Success), 9},
		{Deliveries(1, Failure), 10}, {Deliveries(1, Deferral), 11}, {SlotsInUse(0), 12}, {SlotsInUse(1), 13},
		{SlotsLimit(0), 14}, {SlotsLimit(1), 15}, {Delay(0, 0), 16}, {Delay(0, len(Bounds())), 30}, {DelaySum(0), 31},
		{Delay(1, 0), 32}, {Delay(1, len(Bounds())), 46}, {DelaySum(1), 47},
	} {
		if x.slot != x.want || used[x.slot] {
			t.Errorf("slot %d is %d", x.want, x.slot)
		}
		used[x.slot] = true
	}
	for n, p := range []string{"qmail-smtpd", "qmail-smtpsd", "qmail-submitd"} {
		if OfSession(p, Sessions) != 1+16*n || OfSession(p, LoginsFailed) != 7+16*n {
			t.Errorf("%s has slots from %d", p, OfSession(p, Sessions))
		}
	}
	if OfSession("other", Accepted) != 0 {
		t.Error("a program that does not count has a slot")
	}
}

func TestATimeFallsIntoTheFirstBucketThatHoldsIt(t *testing.T) {
	for sec, want := range map[int64]int{0: 0, 1: 0, 2: 1, 3: 2, 604800: 13, 604801: 14} {
		if got := Bucket(sec); got != want {
			t.Errorf("%d s: bucket %d, want %d", sec, got, want)
		}
	}
}
