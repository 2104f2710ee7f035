package send

import (
	"math/rand/v2"
	"slices"
	"testing"

	"qmail/internal/queue"
)

func TestAttemptsAreMadeAtTheSquaresOfTheAge(t *testing.T) {
	for _, c := range []struct {
		age  int64
		ch   queue.Channel
		want int64
	}{
		{0, queue.Local, 100}, {0, queue.Remote, 400},
		{100, queue.Local, 400}, {400, queue.Remote, 1600}, {401, queue.Remote, 1600},
		{1600, queue.Remote, 3600}, {604800, queue.Remote, 635209}, {-5, queue.Local, 95},
	} {
		if got := nextRetry(1000, 1000+c.age, c.ch) - 1000; got != c.want {
			t.Errorf("age %d by %v: got %d, want %d", c.age, c.ch, got, c.want)
		}
	}
}

func TestWithEveryClockANextAttemptIsAsNearAsTheAgeSays(t *testing.T) {
	const day = 24 * 3600
	for _, c := range queue.Channels() {
		for _, ahead := range []int64{1, day, 10 * 365 * day} {
			if n := nextRetry(1000*day+ahead, 1000*day, c); n != 1000*day+skip(c)*skip(c) {
				t.Errorf("a message that is born in %d seconds is tried in %d", ahead, n-1000*day)
			}
		}
		// Whatever was meant once is not later than what could be meant now.
		for age := int64(0); age < 90*day; age += 3599 {
			if n := latest(0, age, c); n < nextRetry(0, age, c) || n < latest(0, max(0, age-3599), c) || n > age+2*day {
				t.Fatalf("at the age of %d the latest next attempt is at %d", age, n)
			}
		}
	}
}

func TestRootIsTheIntegerSquareRoot(t *testing.T) {
	for _, x := range []int64{0, 1, 2, 3, 4, 8, 9, 99, 100, 101, 1<<40 - 1, 1 << 40, 1<<40 + 1} {
		if r := root(x); r*r > x || (r+1)*(r+1) <= x {
			t.Errorf("root(%d) = %d", x, r)
		}
	}
}

func TestTheEarliestComesFirst(t *testing.T) {
	var w waiting
	var want []int64
	for i := range 1000 {
		at := rand.Int64N(500)
		w.add(due{at, queue.ID(i)})
		want = append(want, at)
	}
	w.remove(500)
	if w.remove(500) {
		t.Error("removed twice")
	}
	w.each(func(d due) int64 { return -d.at })
	w.each(func(d due) int64 { return -d.at })
	if len(w) != 999 {
		t.Fatalf("%d are left", len(w))
	}
	slices.Sort(want)
	last := int64(-1)
	for len(w) > 0 {
		d := w.take()
		if d.at < last {
			t.Fatal("out of order")
		}
		last = d.at
	}
}
