package pool

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"qmail/internal/dev/poll"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

func TestAParentThatIsAloneWaitsInTheKernel(t *testing.T) {
	p, s := newPool(t), spec("worker")
	s.Alone = true
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

func TestJobsThatAreShortShareAWorker(t *testing.T) {
	p, s := newPool(t), spec("worker")
	w := take(t, p, s)
	p.mu.Lock()
	k := p.kinds[s.key()]
	p.mu.Unlock()
	next := make(chan *Worker)
	go func() { next <- p.Take(s, "") }()
	poll.Until(t, "the second job waits", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(k.waiting) == 1
	})
	p.giveBack(w) // as at the end of a job
	if got := <-next; got == nil {
		t.Error("the second job got no worker")
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

func TestWhatStandsInAProgramsPlaceIsNeverStartedForNothing(t *testing.T) {
	p := newPool(t)
	started := filepath.Join(t.TempDir(), "started")
	path := filepath.Join(p.dir, "program")
	os.Remove(path)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n>"+started+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if p.Take(spec("serve"), "") != nil {
			t.Error("a script is a worker")
		}
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("it was started")
	}
}

func TestTheGreetingIsFoundWhereverItIsInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	for _, before := range []int{0, 1, 65530, 65536, 131060, 200000} {
		text := strings.Repeat("x", before) + worker.Greeting
		for _, c := range []struct {
			text string
			want bool
		}{{text, true}, {text + "more", true}, {text[:len(text)-1], false}} {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if canGreet(path) != c.want {
				t.Errorf("%d bytes before it, %d in all: %v", before, len(c.text), !c.want)
			}
		}
	}
}
