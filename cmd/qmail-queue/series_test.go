package main

import (
	"testing"
	"time"
)

func TestNoTwoMessagesOfADayHaveTheSameNumber(t *testing.T) {
	start := time.Date(2026, 11, 27, 23, 59, 59, 500_000_000, time.UTC)
	seen := map[uint64]bool{}
	for pid := 1; pid <= 3; pid++ {
		s := series{pid: pid}
		for i := range 2000 {
			// A clock that stands, and then is set back.
			now := start.Add(time.Duration(i/1000) * -time.Hour)
			n := s.next(now)
			if seen[n] || n>>22 == 0 || n>>53 != 0 {
				t.Fatalf("message %d of process %d: %d", i, pid, n)
			}
			seen[n] = true
		}
	}
	s := series{pid: 7123}
	if n := s.next(time.Date(2026, 11, 27, 1, 2, 3, 4_000_000, time.UTC)); n != 712303723004 {
		t.Errorf("%d", n)
	}
}
