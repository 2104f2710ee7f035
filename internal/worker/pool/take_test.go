package pool

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"qmail/internal/text/exit"
)

func TestAParentThatIsAloneWaitsInTheKernel(t *testing.T) {
	p, s := newPool(t), spec("worker")
	s.Alone, s.Sure = true, true
	for _, text := range []string{"one", "two"} {
		w := take(t, p, s)
		if out, a, err := do(t, w, "echo", text); out != text || a.Code != exit.Perm || err != nil {
			t.Errorf("%q, %v, %v", out, a, err)
		}
	}
	if _, _, err := do(t, take(t, p, s), "die"); err == nil {
		t.Error("no error for a worker that died")
	}
}

func TestAnotherWorkerIsWorthItsStartWhereTheLineIsLong(t *testing.T) {
	for _, c := range []struct {
		waiting, busy, starting int
		each, stuck             time.Duration
		want                    bool
	}{
		{1, 0, 0, 0, 0, true},
		{1, 1, 0, 0, 0, false}, // nothing is known
		{1, 1, 0, 0, longMoment * 5 / 4, true},
		{3, 1, 0, 5 * time.Millisecond, 0, false},
		{1, 1, 0, time.Second, 0, true},
		{1, 1, 9, time.Second, 0, false},
		{20, 8, 0, 50 * time.Millisecond, 0, false},
		{40, 8, 0, 50 * time.Millisecond, 0, true},
		{1, 100, 0, time.Millisecond, patience / 2, true},
	} {
		k := &kind{busy: c.busy, starting: c.starting, each: c.each, waiting: make([]chan *Worker, c.waiting)}
		if got := k.worthwhile(false, c.stuck); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if k := (&kind{busy: 9, each: time.Millisecond, waiting: make([]chan *Worker, 1)}); k.worthwhile(true, moment/2) ||
		!k.worthwhile(true, moment) {
		t.Error("an eager one waits for another time than a moment")
	}
}

func TestLongJobsGetMoreWorkersAndWaitForNone(t *testing.T) {
	p, s := newPool(t), spec("worker")
	do(t, take(t, p, s), "echo")
	pids, enough := make(chan string, 3), filepath.Join(t.TempDir(), "enough")
	for range cap(pids) {
		w := take(t, p, s)
		go func() {
			do(t, w, "rest", enough)
			pids <- strconv.Itoa(w.Pid())
		}()
	}
	if err := os.WriteFile(enough, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range cap(pids) {
		seen[<-pids] = true
	}
	if len(seen) != cap(pids) {
		t.Errorf("%d workers for %d jobs at once", len(seen), cap(pids))
	}
}
