package poll

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWithinEndsWhenTheConditionIsTrueOrTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if !Within(time.Hour, func() bool { return time.Since(begin) > time.Second }) {
			t.Error("it was true after a second")
		}
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("seen after %v", d)
		}
		begin = time.Now()
		var last time.Duration
		if Within(time.Minute, func() bool { last = time.Since(begin); return false }) {
			t.Error("it was never true")
		}
		if last < time.Minute || last > 2*time.Minute {
			t.Errorf("the last look was after %v", last)
		}
	})
}
