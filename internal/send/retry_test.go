package send

import (
	"math/rand/v2"
	"slices"
	"testing"

	"qmail/internal/queue"
	"qmail/internal/send/schedule"
)

func TestWhateverWasMeantOnceIsNotLaterThanWhatCouldBeMeantNow(t *testing.T) {
	const day = 24 * 3600
	for _, c := range queue.Channels() {
		for age := int64(0); age < 90*day; age += 3599 {
			if n := latest(0, age, c); n < schedule.Next(0, age, c) || n < latest(0, max(0, age-3599), c) || n > age+2*day {
				t.Fatalf("at the age of %d the latest next attempt is at %d", age, n)
			}
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
