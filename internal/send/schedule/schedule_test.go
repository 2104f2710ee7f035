package schedule

import (
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
		if got := Next(1000, 1000+c.age, c.ch) - 1000; got != c.want {
			t.Errorf("age %d by %v: got %d, want %d", c.age, c.ch, got, c.want)
		}
	}
}

func TestWhatIsDueIsWhatTheAttemptsBeforeHaveLedTo(t *testing.T) {
	for _, c := range queue.Channels() {
		for at := int64(0); at < 90*24*3600; {
			next := Next(0, at, c)
			for _, now := range []int64{at, (at + next) / 2, next - 1} {
				if got := Due(0, now, c); got != next {
					t.Fatalf("%v at the age of %d: due at %d, not %d", c, now, got, next)
				}
			}
			at = next
		}
	}
}

func TestWithEveryClockANextAttemptIsAsNearAsTheAgeSays(t *testing.T) {
	const day = 24 * 3600
	for _, c := range queue.Channels() {
		for _, ahead := range []int64{1, day, 10 * 365 * day} {
			if n := Next(1000*day+ahead, 1000*day, c); n != 1000*day+step(c)*step(c) {
				t.Errorf("a message that is born in %d seconds is tried in %d", ahead, n-1000*day)
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
